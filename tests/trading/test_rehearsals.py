"""Rehearsing limits: when they would have tripped, for how long, and what that would have saved or cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest
import time_machine

from portfolios.models import Cell
from portfolios.standings import place_of
from tests.trading.builders import OPEN, SESSIONS, Desk, fresh, open_cell, tick
from trading.models import BreakerTrip, TradingLimit
from trading.selectors.rehearsals import rehearsal
from trading.services.limits import limit_proposed
from trading.services.orders import orders_send
from trading.services.rehearsals import DayValues, by_day, by_drawdown, counts_in_window

DAYS = SESSIONS[:6]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


def series(*values: float, flow: dict[int, float] | None = None, still: float = 0.0) -> DayValues:
    flows = np.zeros(len(values))
    flows[0] = values[0]
    for day, amount in (flow or {}).items():
        flows[day] = amount
    return DayValues(DAYS[: len(values)], np.array(values, dtype=np.float64), flows, lambda start, end: still)


def test_a_drawdown_trips_from_the_peak_and_counts_anew_after_the_person() -> None:
    found = by_drawdown(series(100, 110, 98, 96, 95, 85, still=97.0), 0.1, resume_after_days=1, acts=True)
    assert [(one.start, one.end, round(one.measured, 4), one.saved) for one in found] == [
        (DAYS[2], DAYS[3], round(1 - 98 / 110, 4), 1.0),
        (DAYS[5], DAYS[5], round(1 - 85 / 96, 4), 12.0),
    ]


def test_money_paid_in_or_out_trips_nothing() -> None:
    assert by_drawdown(series(100, 50, 250, flow={1: -50.0, 2: 200.0}), 0.01, 5, acts=True) == []


def test_a_figure_of_the_day_trips_once_while_it_holds_and_an_alert_saves_nothing() -> None:
    found = by_day(series(1, 1, 1, 1, 1, 1), [0, 5, 5, 5, 0, 5], 5, resume_after_days=1, acts=False)
    assert [(one.start, one.saved) for one in found] == [(DAYS[1], None), (DAYS[3], None), (DAYS[5], None)]


def test_orders_are_counted_over_a_sliding_window() -> None:
    moments = [OPEN + dt.timedelta(seconds=seconds) for seconds in (0, 10, 59, 61, 200)]
    assert counts_in_window(moments, [OPEN.date()], 60) == [3.0]


def proposed(row: object, kind: str, threshold: str, action: str = "halted", window: int | None = None) -> TradingLimit:
    return limit_proposed(
        on=place_of(row),  # type: ignore[arg-type]
        kind=kind, threshold=Decimal(threshold), action=action, window_seconds=window,
    )  # fmt: skip


@pytest.fixture
def fallen(desk: Desk, clock: time_machine.Traveller) -> Cell:
    """A cell that bought at 96 and lower, and stands at 84."""
    cell = open_cell(desk.portfolio)
    for number, price in enumerate((100, 96, 92, 88, 84)):
        moment = dt.datetime.combine(SESSIONS[3 + number], dt.time(15, 30), tzinfo=dt.UTC)
        clock.move_to(moment)
        tick(desk.portfolio, {"IBM": price}, moment)
        orders_send(account_id=desk.account.pk)
    return fresh(cell)


def test_a_halt_while_it_fell_would_have_saved_what_the_later_purchases_lost(desk: Desk, fallen: Cell) -> None:
    limit = proposed(desk.portfolio, "drawdown", "0.03")
    found = rehearsal(limit, resume_after_days=30)
    (once,) = found.episodes
    assert float(fallen.shares) > 60
    assert once.saved is not None
    assert once.saved > 0
    assert "would have tripped once" in found.summary
    assert "that would have saved" in found.summary
    assert not BreakerTrip.objects.exists()


@pytest.mark.parametrize(
    "kind,threshold,window,trips",
    [
        ("daily_loss", "0.015", None, True),
        ("daily_loss", "0.5", None, False),
        ("daily_notional", "100", None, True),
        ("orders_in_window", "1", 60, True),
        ("orders_in_window", "2", 60, False),
        ("exposure", "5050", None, True),
        ("concentration", "0.9", None, False),
        ("stale_data", "30", None, False),
        ("consecutive_rejects", "1", 60, False),
        ("broker_disagreement", "1", None, False),
    ],
)
def test_every_kind_can_be_rehearsed(
    desk: Desk, fallen: Cell, kind: str, threshold: str, window: int | None, trips: bool
) -> None:
    for row in (desk.tenant, desk.portfolio, fallen):
        found = rehearsal(proposed(row, kind, threshold, window=window))
        assert bool(found.episodes) is trips, (kind, row)


def test_without_history_it_says_so(desk: Desk) -> None:
    assert rehearsal(proposed(desk.portfolio, "drawdown", "0.1")).summary == "there is no history to look at yet."
    open_cell(desk.portfolio)
    assert rehearsal(proposed(desk.portfolio, "drawdown", "0.1")).first is None


def test_the_newest_price_of_each_day_is_what_counts(desk: Desk, fallen: Cell) -> None:
    found = rehearsal(proposed(fallen, "drawdown", "0.5"))
    assert (found.first, found.last, found.summary) == (
        SESSIONS[3],
        SESSIONS[7],
        "from 2024-03-07 to 2024-03-13 it would never have tripped.",
    )
