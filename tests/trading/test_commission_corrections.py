"""A commission told later or corrected is booked as the difference, once, and stands against the estimate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
import time_machine

from portfolios.models import Cell, LedgerEntry
from portfolios.selectors import reconcile
from tests.trading.builders import OPEN, Desk, fresh, only_order, tick
from tests.trading.standin import StandInBroker
from trading.models import Order
from trading.services.commission_corrections import commission_correct
from trading.services.orders import orders_send
from volbal.common.errors import Refused


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(OPEN, tick=False):
        yield


def filled(desk: Desk, broker: StandInBroker, price: int, part: Decimal | None = None) -> Order:
    tick(desk.portfolio, {"IBM": price})
    orders_send(account_id=desk.account.pk)
    order = only_order()
    broker.fill(order.client_order_id, part or order.quantity, price)
    orders_send(account_id=desk.account.pk)
    return only_order()


def test_the_difference_is_booked_once(told_desk: Desk, broker: StandInBroker, told_cell: Cell) -> None:
    order = filled(told_desk, broker, 104)
    cash, cost = fresh(told_cell).cash, fresh(told_cell).average_cost
    assert order.commission == Decimal("0.07")
    told = [
        commission_correct(account=told_desk.account, broker_fill_id="F1", commission=Decimal(amount))
        for amount in ("1.00", "1.00", "0.40", "1.00")
    ]
    assert told == [Decimal("0.93"), 0, Decimal("-0.60"), Decimal("0.60")]
    assert (only_order().commission, fresh(told_cell).cash) == (Decimal("1.00"), cash - Decimal("0.93"))
    assert fresh(told_cell).average_cost == cost, "a sale does not change what the rest cost"
    assert LedgerEntry.objects.filter(key__contains=":correction:").count() == 3
    assert reconcile() == []


def test_a_commission_told_after_its_fill_takes_the_estimates_place(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    order = filled(told_desk, broker, 104, Decimal(3))
    broker.fill(order.client_order_id, order.quantity - 3, 104)
    orders_send(account_id=told_desk.account.pk)
    cash, first = fresh(told_cell).cash, broker.reports[0]
    for _ in range(2):
        number = str(len(broker.reports) + 1)
        broker.reports.append(replace(first, cursor=number, commission=Decimal("1.03")))
        orders_send(account_id=told_desk.account.pk)
    # The first part was estimated at 0.03, and only that part's own is replaced.
    assert (only_order().commission, fresh(told_cell).cash) == (Decimal("1.07"), cash - 1)
    assert reconcile() == []


def test_what_a_purchase_cost_more_joins_the_average_cost(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    order = filled(told_desk, broker, 96)
    before = fresh(told_cell)
    commission_correct(
        account=told_desk.account, client_order_id=order.client_order_id, commission=order.commission + 5
    )
    after = fresh(told_cell)
    assert (after.average_cost - before.average_cost) * after.shares == pytest.approx(5, abs=Decimal("1e-6"))


def test_the_next_part_keeps_what_the_broker_told(told_desk: Desk, broker: StandInBroker, told_cell: Cell) -> None:
    order = filled(told_desk, broker, 104, Decimal(3))
    commission_correct(account=told_desk.account, broker_fill_id="F1", commission=Decimal("1.00"))
    broker.fill(order.client_order_id, order.quantity - 3, 104)
    orders_send(account_id=told_desk.account.pk)
    # The schedule's 0.07 for the whole less 0.03 for the first three.
    assert only_order().commission == Decimal("1.04")
    assert reconcile() == []


@pytest.mark.parametrize("named", [{"broker_fill_id": "F9"}, {"client_order_id": "someone-elses"}, {}])
def test_an_order_that_is_not_ours_is_refused(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell, named: dict[str, str]
) -> None:
    filled(told_desk, broker, 104)
    with pytest.raises(Refused, match="has no order of"):
        commission_correct(account=told_desk.account, commission=Decimal(1), **named)


@pytest.mark.parametrize("amount", ["NaN", "1.001", "1e14"])
def test_a_commission_that_cannot_be_kept_is_refused(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell, amount: str
) -> None:
    filled(told_desk, broker, 104)
    with pytest.raises(Refused, match="commission is"):
        commission_correct(account=told_desk.account, broker_fill_id="F1", commission=Decimal(amount))
    assert only_order().commission == Decimal("0.07")
