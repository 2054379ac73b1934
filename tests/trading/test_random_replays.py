"""Whatever the bars and the actions: the ledger equals the cells, nothing is oversold, live is the backtest."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimization.services.parity import ParityCase, parity_run
from portfolios.models import Cell, LedgerEntry
from portfolios.selectors import reconcile
from tests.trading.builders import SESSIONS, daily_bars
from trading.models import Order
from volbal.common.tenancy import every_tenant
from volbal.strategy import Dividend, Split, StrategyParameters

DAYS = SESSIONS[1:12]
WEEKEND = dt.date(2024, 3, 9)


@st.composite
def cases(draw: st.DrawFn) -> ParityCase:
    moves = draw(st.lists(st.sampled_from([-0.3, -0.08, -0.031, -0.03, 0.0, 0.004, 0.03, 0.031, 0.1, 0.5]),
                          min_size=4, max_size=12))  # fmt: skip
    closes = [draw(st.sampled_from([1.37, 20.0, 100.0]))]
    for move in moves:
        closes.append(round(closes[-1] * (1.0 + move), 2))
    days = draw(st.lists(st.sampled_from([*DAYS, WEEKEND]), unique=True, max_size=3))
    dividends = [
        Dividend(day, draw(st.sampled_from([0.01, 0.333333, 0.9])), draw(st.sampled_from([None, DAYS[-1]])))
        for day in days[:2]
    ]
    splits = [Split(day, draw(st.sampled_from([2.0, 0.1, 1.5]))) for day in days[1:]]
    return ParityCase(
        bars=daily_bars(closes),
        parameters=StrategyParameters(
            min_notional=draw(st.sampled_from([0.0, 100.0])),
            quantity_step=draw(st.sampled_from([0.000001, 1.0])),
            commission_min=draw(st.sampled_from([0.0, 1.0])),
            max_orders_per_day=draw(st.sampled_from([1, 5])),
        ),
        dividends=tuple(dividends),
        splits=tuple(splits),
        stock_fraction=draw(st.sampled_from([0.0, 0.5, 1.0])),
        reinvest=draw(st.booleans()),
    )


@pytest.mark.django_db
@pytest.mark.histories
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=cases())
def test_live_is_backtest_and_the_ledger_equals_the_cells(case: ParityCase) -> None:
    with every_tenant(), transaction.atomic():
        report = parity_run(case)
        cell = Cell.objects.get()
        entries = LedgerEntry.objects.filter(cell=cell)
        assert [str(difference) for difference in report.differences] == []
        assert reconcile() == []
        assert min(cell.cash, cell.shares, cell.receivable) >= 0
        assert sum(entry.cash for entry in entries) == cell.cash
        assert sum(entry.shares for entry in entries) == cell.shares
        assert not Order.objects.exclude(status="filled").exists()
        transaction.set_rollback(True)
