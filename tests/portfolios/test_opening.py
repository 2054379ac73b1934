"""What a new cell would hold: split as a backtest starts, to the cent."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolios import services
from portfolios.services.money import joined_cost
from portfolios.services.opening import stock_value
from volbal.common.errors import Refused


@pytest.mark.parametrize(
    "price,amount,fraction,step,shares,cash",
    [
        ("100", "10000", 0.5, 0.000001, "50", "5000"),
        ("3", "100", 0.5, 1.0, "16", "52"),
        ("3", "100", 0.5, 0.000001, "16.666666", "50"),
        ("7", "1000", 1.0, 0.01, "142.85", "0.05"),
        ("250", "100", 0.5, 1.0, "0", "100"),
        ("100", "10000", 0.0, 0.000001, "0", "10000"),
    ],
)
def test_an_amount_is_split_by_the_rules_own_rounding(
    price: str, amount: str, fraction: float, step: float, shares: str, cash: str
) -> None:
    preview = services.opening_preview(
        price=Decimal(price), amount=Decimal(amount), stock_fraction=fraction, quantity_step=step
    )
    assert (preview.shares, preview.cash, preview.value) == (Decimal(shares), Decimal(cash), Decimal(amount))


@given(
    price=st.integers(1, 10**9).map(lambda micros: Decimal(micros).scaleb(-4)),
    amount=st.integers(0, 10**11).map(lambda cents: Decimal(cents).scaleb(-2)),
    fraction=st.floats(0, 1),
)
def test_nothing_is_spent_twice(price: Decimal, amount: Decimal, fraction: float) -> None:
    preview = services.opening_preview(price=price, amount=amount, stock_fraction=fraction)
    assert preview.cash + stock_value(preview.shares, price) == amount
    assert preview.cash >= 0


def test_shares_are_valued_beside_their_cash() -> None:
    preview = services.opening_preview_by_shares(price=Decimal("33.335"), shares=Decimal(3), cash=Decimal(1))
    assert preview.value == Decimal("101.01")


@pytest.mark.parametrize(
    "options,told",
    [
        ({"price": Decimal(0)}, "price is 0"),
        ({"amount": Decimal(-1)}, "amount is -1; expected at least 0"),
        ({"stock_fraction": 1.01}, "stock_fraction is 1.01; expected between 0 and 1"),
        ({"stock_fraction": float("nan")}, "stock_fraction is nan"),
        ({"quantity_step": 1e-7}, "quantity_step is 1e-07; expected at least 0.000001"),
    ],
)
def test_what_cannot_be_is_refused_with_its_bound(options: dict[str, object], told: str) -> None:
    with pytest.raises(Refused, match=told):
        services.opening_preview(**({"price": Decimal(100), "amount": Decimal(1)} | options))


def test_shares_that_join_carry_their_own_cost() -> None:
    assert joined_cost(Decimal(100), Decimal(2), Decimal(10), Decimal(1)) == Decimal(70)
    assert joined_cost(Decimal(100), Decimal(-1), Decimal(10), Decimal(1)) == Decimal(10)
