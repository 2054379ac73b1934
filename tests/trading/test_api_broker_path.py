"""Brokers that fetch orders and report, from a tick to the books: the broker acts over the services."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import time_machine

from portfolios.models import Cell
from portfolios.selectors import reconcile
from tests.portfolios.builders import BY_TEST
from tests.trading.api_reports import claimed, report, told
from tests.trading.builders import OPEN, Desk, fresh, open_cell, tick
from trading.brokers.base import FillReport
from trading.models import ApiOrder, BrokerDifference, Fill, HeldFill, Order
from trading.selectors.api_broker import api_orders_waiting
from trading.services.api_orders import api_cancel_decline, api_order_acknowledge
from trading.services.api_reports import api_holdings_publish
from trading.services.order_cancels import order_cancel
from trading.services.orders import orders_send
from trading.services.reconciliation import account_reconcile
from volbal.common.clock import now as clock_now

S = ApiOrder.State
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def cell(api_desk: Desk) -> Cell:
    api_holdings_publish(
        account=api_desk.account, shares={"IBM": Decimal(50)}, cash=Decimal(5_000), as_of=OPEN, origin=BY_TEST
    )
    return open_cell(api_desk.portfolio)


def fetched(desk: Desk) -> ApiOrder:
    """Return the order that a tick at 104 leads to, claimed by the broker."""
    tick(desk.portfolio, {"IBM": 104})
    orders_send(account_id=desk.account.pk)
    [waiting] = api_orders_waiting(account=desk.account)
    claimed(waiting)
    return waiting


def test_an_order_is_fetched_reported_and_booked(api_desk: Desk, cell: Cell) -> None:
    waiting = fetched(api_desk)
    api_order_acknowledge(order=waiting, broker_order_id="D-1", origin=BY_TEST)
    orders_send(account_id=api_desk.account.pk)
    half = FillReport("", "E-1", waiting.client_order_id, Decimal(3), Decimal(104), Decimal("0.03"), OPEN)
    rest = replace(half, broker_fill_id="E-2", quantity=waiting.quantity - 3, commission=Decimal("0.04"))
    for one in (half, rest, half):
        told(api_desk, one)
        orders_send(account_id=api_desk.account.pk)
    order = Order.objects.get()
    assert (order.status, order.filled_quantity, order.commission) == ("filled", waiting.quantity, Decimal("0.07"))
    assert (fresh(cell).shares, fresh(cell).anchor) == (50 - waiting.quantity, 104)
    assert reconcile() == []


def test_a_fill_of_no_order_of_ours_is_held_for_a_person(api_desk: Desk, cell: Cell) -> None:
    foreign = report("E-9", client_order_id="someone-elses", symbol="IBM", side="BUY")
    assert told(api_desk, foreign) == [("E-9", "")]
    orders_send(account_id=api_desk.account.pk)
    assert HeldFill.objects.get().broker_fill_id == "E-9"
    assert fresh(cell).shares == 50


def test_a_cancellation_that_the_broker_declines_leaves_the_order_accepted_with_its_words(
    api_desk: Desk, cell: Cell, clock: time_machine.Traveller
) -> None:
    waiting = fetched(api_desk)
    api_order_acknowledge(order=waiting, broker_order_id="D-1", origin=BY_TEST)
    orders_send(account_id=api_desk.account.pk)
    order_cancel(order=Order.objects.get(), detail="by hand")
    assert Order.objects.get().status == "cancelling"
    api_cancel_decline(order=waiting, detail="it is at the exchange already", origin=BY_TEST)
    clock.shift(11)
    orders_send(account_id=api_desk.account.pk)
    order = Order.objects.get()
    assert (order.status, order.status_detail) == (
        "accepted",
        "The broker does not cancel it: it is at the exchange already",
    )
    assert ApiOrder.objects.get().state == S.ACKNOWLEDGED, "it is not asked again by itself"
    told(api_desk, FillReport("", "E-1", order.client_order_id, order.quantity, Decimal(104), None, clock_now()))
    orders_send(account_id=api_desk.account.pk)
    assert (Order.objects.get().status, reconcile()) == ("filled", [])


def test_parts_finer_than_a_millionth_end_the_order_and_agree_with_the_broker(
    api_desk: Desk, cell: Cell, clock: time_machine.Traveller
) -> None:
    waiting = fetched(api_desk)
    parts = [Decimal("2.0957023333"), Decimal("2.0957023333"), Decimal("0.0000000004")]
    parts.append(waiting.quantity - sum(parts))
    held = Decimal(50)
    for number, part in enumerate(parts):
        clock.shift(1)
        one = FillReport("", f"E-{number}", waiting.client_order_id, part, Decimal(104), Decimal(0), clock_now())
        assert told(api_desk, one) == told(api_desk, one) == [(f"E-{number}", "")]
        orders_send(account_id=api_desk.account.pk)
        held, cash = held - part, fresh(cell).cash
        holdings = {"account": api_desk.account, "shares": {"IBM": held}, "cash": cash, "as_of": clock_now()}
        api_holdings_publish(**holdings, origin=BY_TEST)
        state = account_reconcile(account_id=api_desk.account.pk)
        assert (state.status, BrokerDifference.objects.count()) == ("agrees", 0)
    order = Order.objects.get()
    assert (order.status, order.filled_quantity, order.told_quantity) == ("filled", *[waiting.quantity] * 2)
    assert (ApiOrder.objects.get().state, fresh(cell).shares) == (S.FILLED, 50 - waiting.quantity)
    booked = Fill.objects.order_by("id").values_list("quantity", "told_quantity")
    assert list(booked)[:3] == [
        (Decimal("2.095702"), parts[0]),
        (Decimal("2.095703"), parts[1]),
        (Decimal(0), parts[2]),
    ]
    assert reconcile() == []
