"""Actions and fills in any order of arrival: what matters is their day (strategy 8)."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from portfolios.models import Cell
from portfolios.selectors import reconcile
from tests.trading.builders import Desk, fresh, make_actions, make_desk, open_cell, tick
from tests.trading.late_reports import DAYS, REASON, at, report
from trading.services.corporate_actions import cells_settle
from volbal.common.tenancy import every_tenant
from volbal.strategy import Dividend, Split

# Everything that happens to a cell, each on its day; what matters is that the order of arrival does not.
ACTIONS = st.lists(
    st.one_of(
        st.builds(
            Dividend,
            st.sampled_from(DAYS[1:4]),
            st.sampled_from([0.333333, 1.0, 7.5]),
            st.sampled_from([DAYS[3], DAYS[4]]),
        ),
        st.builds(Split, st.sampled_from(DAYS[1:4]), st.sampled_from([2.0, 0.1, 1.5])),
    ),
    max_size=4,
    unique_by=lambda one: (type(one), one.ex_date),
)
FILLS = st.lists(st.tuples(st.sampled_from(["10", "-7.5", "3.333333"]), st.sampled_from(DAYS[:4])), max_size=4)


@pytest.mark.django_db
# Making a failing case smaller takes minutes: each try is a whole market.
@settings(
    max_examples=15,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=ACTIONS, fills=FILLS, seed=st.integers(0, 2**32))
def test_the_order_of_arrival_changes_nothing(
    actions: list[Dividend | Split], fills: list[tuple[str, dt.date]], seed: int
) -> None:
    with every_tenant(), transaction.atomic():
        on_time, late = make_desk("on-time"), make_desk("late")
        first, second = (
            open_cell(on_time.portfolio, "AONE", started=False),
            open_cell(late.portfolio, "BTWO", started=False),
        )
        for one in actions:
            make_actions(one, symbol="AONE")
        _pass(on_time, first, "AONE", {day: [one for one in fills if one[1] == day] for day in DAYS})
        shuffled = random.Random(seed)
        arrivals: list[Any] = [*actions, *fills]
        shuffled.shuffle(arrivals)
        _arrive(late, second, arrivals, shuffled)
        assert _state(second) == _state(first)
        assert reconcile() == []
        transaction.set_rollback(True)


def _pass(desk: Desk, cell: Cell, symbol: str, fills: dict[dt.date, list[tuple[str, dt.date]]]) -> None:
    for day in DAYS:
        tick(desk.portfolio, {symbol: 100}, at(day, 14, 31))
        for shares, _ in fills[day]:
            report(fresh(cell), shares, "100", at(day))
    tick(desk.portfolio, {symbol: 100}, at(DAYS[-1], 19))


def _arrive(desk: Desk, cell: Cell, arrivals: list[Any], shuffled: random.Random) -> None:
    """Let everything arrive on any day, but no fill before its own."""
    for place, day in enumerate(DAYS):
        tick(desk.portfolio, {"BTWO": 100}, at(day, 14, 31))
        for one in list(arrivals):
            is_fill = isinstance(one, tuple)
            if (is_fill and one[1] > day) or (place < len(DAYS) - 1 and shuffled.random() < 0.5):
                continue
            arrivals.remove(one)
            if is_fill:
                report(fresh(cell), one[0], "100", at(one[1]))
            else:
                make_actions(one, symbol="BTWO")
            if shuffled.random() < 0.3:
                cells_settle(instrument=cell.instrument, origin=REASON)
    tick(desk.portfolio, {"BTWO": 100}, at(DAYS[-1], 19))


def _state(cell: Cell) -> tuple[Any, ...]:
    row = fresh(cell)
    return row.cash, row.receivable, row.shares, row.anchor, row.bought_since_anchor, row.sold_since_anchor
