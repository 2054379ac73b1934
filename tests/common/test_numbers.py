"""Where Decimal at rest and float64 in the rule meet, nothing is lost."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volbal.common.clock import require_aware
from volbal.common.numbers import money, price, shares, to_float
from volbal.strategy import cents, micro, round_down

amounts = st.floats(-1e9, 1e9, allow_nan=False)


@given(amounts)
def test_money_of_the_rule_comes_back_as_the_very_number(amount: float) -> None:
    rounded = float(cents(amount))
    assert to_float(money(rounded)) == rounded


@given(amounts)
def test_prices_of_the_rule_come_back_as_the_very_number(amount: float) -> None:
    rounded = float(micro(amount))
    assert to_float(price(rounded)) == rounded


@given(st.floats(0, 1e6), st.sampled_from([0.000001, 0.0001, 0.01, 1.0]))
def test_shares_of_the_rule_come_back_as_the_very_number(quantity: float, step: float) -> None:
    rounded = float(round_down(quantity, step))
    assert to_float(shares(rounded)) == rounded


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("-Infinity"), Decimal("NaN")])
def test_what_is_not_a_finite_number_is_refused(value: float | Decimal) -> None:
    with pytest.raises(ValueError, match="is not a finite number"):
        money(value)


def test_halves_go_away_from_zero_and_zero_has_no_sign() -> None:
    assert (money("0.005"), money("-0.005")) == (Decimal("0.01"), Decimal("-0.01"))
    assert str(money("-0.001")) == "0.00"
    assert to_float(None) is None


def test_a_time_without_zone_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="as_of 2024-01-02T03:04:05 has no time zone"):
        require_aware(dt.datetime(2024, 1, 2, 3, 4, 5), "as_of")  # noqa: DTZ001  # what is to be refused
    zone = dt.timezone(dt.timedelta(hours=-5))
    assert require_aware(dt.datetime(2024, 1, 2, 3, tzinfo=zone), "as_of").isoformat() == "2024-01-02T08:00:00+00:00"
