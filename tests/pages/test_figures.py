"""Figures read the same everywhere: signs, units and nothing for nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from volbal.common.templatetags import figures

CASES: list[tuple[str, Any, str]] = [
    ("money", Decimal("104312.44"), "104,312.44"),
    ("money", Decimal("-0.004"), "0.00"),
    ("money", -1234.5, "−1,234.50"),
    ("money", 0, "0.00"),
    ("money", None, "—"),
    ("price", Decimal("184.350000"), "184.35"),
    ("price", Decimal("0.97314"), "0.9731"),
    ("price", Decimal("184.345"), "184.35"),
    ("buy-price", Decimal("117.758"), "117.75"),
    ("sell-price", Decimal("125.041"), "125.05"),
    ("sell-price", Decimal("125.040000"), "125.04"),
    ("shares", Decimal("296.515000"), "296.515"),
    ("shares", Decimal("1200"), "1,200"),
    ("quantity", 41.20049, "41.2"),
    ("percent", 0.524, "52.4\u00a0%"),
    ("percent2", 0.0235, "2.35\u00a0%"),
    ("signed-percent", 0.0192, "+1.92\u00a0%"),
    ("signed-percent", -0.0067, "−0.67\u00a0%"),
    ("signed-percent", 0.000001, "0.00\u00a0%"),
    ("signed-percent", 0, "0.00\u00a0%"),
    ("signed-money", Decimal("1000"), "+1,000.00"),
    ("signed-money", Decimal("-5.5"), "−5.50"),
    ("count", 3270, "3,270"),
    ("words", "inside_band", "Inside band"),
]


@pytest.mark.parametrize("form,value,text", CASES)
def test_a_figure_shows_sign_unit_and_digits(form: str, value: Any, text: str) -> None:
    assert figures.FORMATS[form](value) == text


@pytest.mark.parametrize(
    "value,way,text",
    [(0.01, "up", "▲ +1.00\u00a0%"), (-0.01, "down", "▼ −1.00\u00a0%"), (0.00001, "", "0.00\u00a0%"), (None, "", "—")],
)
def test_a_change_has_an_arrow_beside_its_colour(value: float | None, way: str, text: str) -> None:
    assert figures.change(value) == f'<span class="change {way}">{text}</span>'


def test_a_gauge_says_when_the_share_is_outside_its_band() -> None:
    assert figures.gauge(0.76, 0.25, 0.75)["outside"] is True
    assert figures.gauge(0.75, Decimal("0.25"), Decimal("0.75"))["outside"] is False
    assert figures.gauge(None, 0.25, 0.75)["outside"] is False


def test_a_moment_names_its_zone_and_shows_the_readers_beside_it() -> None:
    moment = dt.datetime(2008, 9, 15, 19, 59, 59, tzinfo=dt.UTC)
    with timezone.override("Europe/Berlin"):
        shown = figures.moment(moment, "America/New_York")
    assert "2008-09-15 15:59 New York" in shown
    assert "21:59 Berlin" in shown


def test_a_moment_is_not_told_twice_in_the_same_zone() -> None:
    moment = dt.datetime(2008, 9, 15, 19, 59, 59, tzinfo=dt.UTC)
    with timezone.override("America/New_York"):
        assert figures.moment(moment, "America/New_York").count("15:59") == 1


@pytest.mark.parametrize(
    "seconds,text",
    [(0, "0\u00a0s"), (119, "119\u00a0s"), (120, "2\u00a0min"), (7200, "2\u00a0h"), (259200, "3\u00a0days")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    assert figures.age(seconds) == text


def test_text_from_people_is_escaped() -> None:
    assert "<b>" not in figures.badge("active", "<b>")
