"""Clocks that are ten minutes off, a broker's or ours: nothing is lost, nothing trades twice, and somebody is told."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import Cell, Event, LedgerEntry, Portfolio
from portfolios.selectors import reconcile
from tests.trading.builders import OPEN, Desk, fresh, only_order, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.models import AccountReconciliation, Evaluation, Fill, Order, RefusedReport, Tick
from trading.selectors.tick_states import tick_lateness
from trading.services.orders import orders_send
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.reconciliation import account_reconcile
from trading.services.tick_states import ticks_notice_missed
from volbal.common.tenancy import every_tenant

TEN_MINUTES = dt.timedelta(minutes=10)


def at(minutes: float) -> Any:
    return time_machine.travel(OPEN + dt.timedelta(minutes=minutes), tick=False)


def test_a_broker_ten_minutes_behind_is_booked_once_and_agrees(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    with at(0):
        tick(told_desk.portfolio, {"IBM": 104})
        orders_send(account_id=told_desk.account.pk)
        order = only_order()
        told = broker.fill(order.client_order_id, order.quantity, 104, as_of=OPEN - TEN_MINUTES)
        orders_send(account_id=told_desk.account.pk)
    with at(1):
        orders_send(account_id=told_desk.account.pk)
        assert account_reconcile(account_id=told_desk.account.pk).status == AccountReconciliation.Status.AGREES
    fill = Fill.objects.get()
    assert (fill.as_of, fill.quantity, only_order().status) == (told.as_of, order.quantity, "filled")
    assert fresh(told_cell).anchor == 104
    assert LedgerEntry.objects.filter(kind="sell").count() == 1
    assert not RefusedReport.objects.exists()
    assert reconcile() == []
    with at(2):
        tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(minutes=2))
    assert Evaluation.objects.first().action == "HOLD", "the next look sees the new anchor"


class TestOursSetBack:
    """Time goes forward only: until it is past the last tick nothing trades, and that is said."""

    @pytest.fixture
    def ticking(self, desk: Desk) -> Cell:
        cell = open_cell(desk.portfolio)
        Portfolio.objects.update(created_at=OPEN)
        desk.portfolio.refresh_from_db()
        with at(0):
            assert portfolio_tick(portfolio=desk.portfolio) is not None
        return cell

    def test_nothing_is_looked_at_and_it_is_told_once(self, desk: Desk, ticking: Cell) -> None:
        with at(-10), every_tenant():
            assert portfolio_tick(portfolio=desk.portfolio) is None
            assert ticks_notice_missed() == [desk.portfolio]
            assert ticks_notice_missed() == []
            desk.portfolio.refresh_from_db()
            assert "our clock is 10\N{NO-BREAK SPACE}min behind the last tick" in tick_lateness(desk.portfolio).text
        told = Event.objects.get(kind="tick.missed").after
        assert told["clock_behind_seconds"] == "600.0"
        assert Tick.objects.count() == 1

    def test_it_goes_on_by_itself_once_the_clock_is_past_it(self, desk: Desk, ticking: Cell) -> None:
        with at(-10), every_tenant():
            ticks_notice_missed()
        with at(1), every_tenant():
            assert portfolio_tick(portfolio=desk.portfolio) is not None
            assert ticks_notice_missed() == []
        assert Event.objects.filter(kind="tick.recovered").count() == 1

    def test_a_fill_dated_by_a_right_clock_is_kept_and_taken_once_ours_is_right(
        self, told_desk: Desk, told_cell: Cell, broker: StandInBroker
    ) -> None:
        with at(0):
            tick(told_desk.portfolio, {"IBM": 104})
            orders_send(account_id=told_desk.account.pk)
        order = only_order()
        told = broker.fill(order.client_order_id, order.quantity, Decimal(104), as_of=OPEN + dt.timedelta(seconds=3))
        with at(-10):
            orders_send(account_id=told_desk.account.pk)
        assert Fill.objects.get().as_of == told.as_of, "it is no later than its order, whatever our clock says"
        assert Order.objects.get().status == "filled"
        assert reconcile() == []
