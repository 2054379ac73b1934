"""Whatever the bars: orders that rest meet them in a replay exactly as in the backtest, in parts or whole."""

from __future__ import annotations

import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from optimization.services.parity import ParityCase, parity_run
from portfolios.models import Cell
from tests.trading.builders import SESSIONS
from trading.models import Order
from volbal.common.tenancy import every_tenant
from volbal.strategy import Bars, Dividend, Split, StrategyParameters
from volbal.strategy.bars import day_number

DAYS = SESSIONS[:10]
MOVES = (-0.3, -0.09, -0.031, -0.03, -0.004, 0.0, 0.004, 0.03, 0.031, 0.09, 0.4)
REACHES = (0.0, 0.004, 0.03, 0.031, 0.08, 0.2)


def bars_of(first: float, moves: list[tuple[float, float, float, float]]) -> Bars:
    """Return daily bars: each opens by a gap from the last close, closes by a move, and reaches beyond both."""
    rows, close = [], first
    for gap, move, up, down in moves:
        opening = max(round(close * (1.0 + gap), 2), 0.01)
        close = max(round(opening * (1.0 + move), 2), 0.01)
        high, low = round(max(opening, close) * (1.0 + up), 2), round(min(opening, close) * (1.0 - down), 2)
        rows.append((opening, high, max(low, 0.01), close))
    days = np.array([day_number(day) for day in DAYS[: len(rows)]], dtype=np.int64)
    return Bars(days, *(np.array(column) for column in zip(*rows, strict=True)), symbol="IBM")


@st.composite
def cases(draw: st.DrawFn) -> ParityCase:
    move, reach = st.sampled_from(MOVES), st.sampled_from(REACHES)
    bars = bars_of(
        draw(st.sampled_from([0.4, 20.0, 100.0])),
        draw(st.lists(st.tuples(move, move, reach, reach), min_size=3, max_size=8)),
    )
    days = draw(st.lists(st.sampled_from(DAYS[1:8]), unique=True, max_size=2))
    sizing = draw(st.sampled_from(["proportional", "fixed_percentage"]))
    return ParityCase(
        bars=bars,
        parameters=StrategyParameters(
            sizing=sizing,
            rebalance_ratio=3.0 if sizing == "proportional" else 0.4,
            min_notional=draw(st.sampled_from([0.0, 100.0])),
            quantity_step=draw(st.sampled_from([0.000001, 1.0])),
            commission_min=draw(st.sampled_from([0.0, 1.0])),
            max_orders_per_day=draw(st.sampled_from([1, 2, 5])),
            stop_loss=draw(st.sampled_from([None, 0.2])),
        ),
        dividends=tuple(
            Dividend(day, draw(st.sampled_from([0.01, 0.333333])), draw(st.sampled_from([None, DAYS[5]])))
            for day in days[:1]
        ),
        splits=tuple(Split(day, draw(st.sampled_from([2.0, 0.1]))) for day in days[1:]),
        stock_fraction=draw(st.sampled_from([0.0, 0.5, 1.0])),
        reinvest=draw(st.booleans()),
        execution="resting",
        path=draw(st.sampled_from(["ohlc", "olhc"])),
        partial_fills=draw(st.booleans()),
        seed=draw(st.integers(0, 5)),
    )


SWINGS = ParityCase(
    bars=bars_of(100.0, [(0.0, 0.0, 0.08, 0.08), (0.09, -0.09, 0.0, 0.2), (-0.3, 0.4, 0.08, 0.0)]),
    parameters=StrategyParameters(),
    execution="resting",
    partial_fills=True,
)


@pytest.mark.django_db
@pytest.mark.histories
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=cases())
@example(case=SWINGS)
def test_a_replay_walks_bars_as_the_backtest_does(case: ParityCase) -> None:
    with every_tenant(), transaction.atomic():
        report = parity_run(case)
        assert [str(difference) for difference in report.differences] == []
        cell = Cell.objects.get()
        assert cell.shares >= 0
        # The least commission can take more than a small sale brings.
        assert cell.cash >= 0 or case.parameters.commission_min > 0.0
        # Nothing is left behind at the broker.
        assert not Order.objects.exclude(status__in=Order.ENDED).exists()
        transaction.set_rollback(True)
