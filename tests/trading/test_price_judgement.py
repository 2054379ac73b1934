"""Outliers and quarantine, as strategy 9 says them, without a database."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.services.price_judgement import (
    CLOSED,
    EXTENDED,
    MINUTES,
    REGULAR,
    RETURNS,
    Memory,
    Verdict,
    deviation,
    judge,
    remembered,
    session_code,
)
from trading.services.price_limits import PriceLimits

LIMITS = PriceLimits()
TODAY = session_code(19_789, REGULAR)
TOMORROW = session_code(19_790, REGULAR)
# A tenth of a percent a minute: ten of them are one percent.
KNOWN = Memory(accepted=Decimal(100), session=TODAY, sigma=0.001)


def told(price: str, *, memory: Memory = KNOWN, minute: int = 0, session: int = TODAY) -> tuple[Verdict, Memory]:
    return judge(Decimal(price), minute=minute, session=session, memory=memory, base=memory.accepted, limits=LIMITS)


@pytest.mark.parametrize(
    "price,verdict",
    [
        ("100.5", "accepted"), ("101", "accepted"), ("101.01", "outlier"), ("98.9", "outlier"), ("125", "outlier"),
        ("125.01", "quarantined"), ("75", "outlier"), ("74.99", "quarantined"),
    ],
)  # fmt: skip
def test_how_far_a_price_may_be(price: str, verdict: str) -> None:
    assert told(price)[0] == verdict


def test_the_first_price_of_a_session_is_judged_by_quarantine_alone() -> None:
    assert told("120", session=TOMORROW)[0] is Verdict.ACCEPTED
    assert told("130", session=TOMORROW)[0] is Verdict.QUARANTINED


@pytest.mark.parametrize(
    "memory", [Memory(), Memory(accepted=Decimal(100), session=TODAY), Memory(Decimal(100), TODAY, None)]
)
def test_without_a_history_nothing_is_an_outlier(memory: Memory) -> None:
    assert told("120", memory=memory)[0] is Verdict.ACCEPTED


def test_prices_of_closed_hours_are_judged_by_quarantine_alone() -> None:
    night = session_code(19_789, CLOSED)
    memory = Memory(Decimal(100), night, 0.001)
    assert told("120", memory=memory, session=night)[0] is Verdict.ACCEPTED
    assert told("130", memory=memory, session=night)[0] is Verdict.QUARANTINED


def run(prices: str) -> str:
    """Judge `minute:price` one after the other and return the verdicts' first letters."""
    memory, letters = KNOWN, ""
    for one in prices.split():
        minute, _, price = one.partition(":")
        verdict, memory = told(price, memory=memory, minute=int(minute))
        letters += verdict[0]
    return letters


@pytest.mark.parametrize(
    "prices,letters",
    [
        ("1:105 2:105 3:105", "ooa"),  # three one-minute prices agree
        ("1:105 1:105 1:105 2:105", "oooo"),  # three looks at one minute are one price
        ("1:105 2:105.9 3:106", "ooa"),  # within one percent of each other
        ("1:105 2:106.1 3:106.1 4:106.1", "oooa"),  # one that disagrees begins anew
        ("1:105 2:100 3:105 4:105 5:105", "oaooa"),  # one that is believed in between ends the stretch
        ("1:105 1:103 2:103 3:103", "oooa"),  # a minute's price is its last
        ("1:105 5:105 9:105", "ooa"),  # minutes without a quote do not count
        ("1:130 2:130 3:130 4:130", "qqqq"),  # time alone does not lift a quarantine
    ],
)
def test_until_three_one_minute_prices_agree(prices: str, letters: str) -> None:
    assert run(prices) == letters


def minutes(count: int, *, session: int = TODAY, first: int = 0, step: int = 1, swing: float = 0.001) -> np.ndarray:
    prices = 100.0 * np.cumprod(1.0 + swing * np.where(np.arange(count) % 2, 1.0, -1.0))
    return np.array([(first + step * at, session, prices[at]) for at in range(count)], dtype=MINUTES)


class TestDeviation:
    def test_it_is_that_of_one_minute_returns(self) -> None:
        history = minutes(100)
        returns = history["price"][1:] / history["price"][:-1] - 1.0
        assert deviation(history, REGULAR) == pytest.approx(float(np.std(returns, ddof=1)))

    def test_only_the_last_390_count(self) -> None:
        old = minutes(100, swing=0.05)
        new = minutes(RETURNS + 1, first=500, swing=0.001)
        assert deviation(np.concatenate([old, new]), REGULAR) == pytest.approx(0.001, rel=0.01)

    def test_hours_are_kept_apart(self) -> None:
        evening = minutes(60, session=session_code(19_789, EXTENDED), first=1_000, swing=0.02)
        history = np.concatenate([minutes(60), evening])
        assert deviation(history, REGULAR) == pytest.approx(0.001, rel=0.05)
        assert deviation(history, EXTENDED) == pytest.approx(0.02, rel=0.05)

    def test_no_return_spans_a_night_or_a_gap(self) -> None:
        tomorrow = minutes(40, session=TOMORROW, first=40)
        tomorrow["price"] *= 1.5
        assert deviation(np.concatenate([minutes(40), tomorrow]), REGULAR) == pytest.approx(0.001, rel=0.05)
        assert deviation(minutes(100, step=2), REGULAR) is None

    @pytest.mark.parametrize("history", [minutes(0), minutes(1), minutes(30), minutes(100, swing=0.0)])
    def test_too_few_or_none_that_moved_say_nothing(self, history: np.ndarray) -> None:
        assert deviation(history, REGULAR) is None
        assert deviation(minutes(31), REGULAR) is not None


def test_what_is_remembered_is_bounded() -> None:
    history = np.array([], dtype=MINUTES)
    for minute in range(1_000):
        history = remembered(history, minute, session_code(0, minute % 3), 100.0)
    assert len(history) <= 2 * (RETURNS + 1)
    assert history["minute"][-1] == 999 - 999 % 3 + (0 if 999 % 3 == 0 else 1)


@given(
    prices=st.lists(st.decimals(1, 1_000, places=2), min_size=1, max_size=40),
    sigma=st.floats(0.0001, 0.05, allow_nan=False),
)
def test_a_believed_price_is_near_the_last_or_agreed_on(prices: list[Decimal], sigma: float) -> None:
    memory = Memory(accepted=Decimal(100), session=TODAY, sigma=sigma)
    for minute, price in enumerate(prices):
        last = memory.accepted
        assert last is not None
        verdict, memory = judge(price, minute=minute, session=TODAY, memory=memory, base=memory.accepted, limits=LIMITS)
        if verdict is Verdict.ACCEPTED:
            assert memory.accepted == price
            assert abs(price - last) <= last / 4
        else:
            assert memory.accepted == last
        assert len(memory.pending) < 3
