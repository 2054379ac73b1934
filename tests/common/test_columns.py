"""Numbers in the console's lists."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portfolios.models import Cell, LedgerEntry
from volbal.common.columns import figure_text, listed


@pytest.mark.parametrize(
    "value,text",
    [
        (Decimal("53101.41"), "53,101.41"),
        (Decimal("20.400000"), "20.40"),
        (Decimal("1550.054193"), "1,550.054193"),
        (Decimal("-0.64"), "-0.64"),
        (Decimal("0.0001"), "0.0001"),
        (-61.105815558732964, "-61.1058155587"),
        (0.0, "0.00"),
        (3270, "3,270"),
        (None, None),
    ],
)
def test_a_figure_has_thousands_and_no_empty_decimals(value: Decimal | float | None, text: str | None) -> None:
    assert figure_text(value) == text


def test_amounts_are_figures_and_ids_are_not() -> None:
    assert listed(Cell, "cash").__name__ == "figure_cash"
    assert listed(Cell, "cash") is listed(Cell, "cash")
    assert listed(LedgerEntry, "id") == "id"
    assert listed(Cell, "status") == "status"
    assert listed(Cell, "no_field_of_it") == "no_field_of_it"
