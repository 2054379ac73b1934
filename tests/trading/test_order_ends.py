"""Orders that end without being filled, and parts of orders: the anchor, the gate and the books afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
import time_machine

from portfolios.models import Cell, Event
from portfolios.selectors import reconcile
from tests.trading.builders import OPEN, Desk, fresh, only_order, tick
from tests.trading.standin import StandInBroker
from trading.brokers.base import BrokerOrderStatus
from trading.models import Fill, Order
from trading.services.order_cancels import order_cancel
from trading.services.order_ends import order_end
from trading.services.order_states import ForbiddenMoveError
from trading.services.orders import orders_send

S = Order.Status


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def order(told_desk: Desk, told_cell: Cell) -> Order:
    """An order to sell 6.287107 shares at 104, accepted by the broker."""
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    return only_order()


def send(desk: Desk) -> list[Fill]:
    return orders_send(account_id=desk.account.pk)


HALF = Decimal("3.143554")  # the smallest part of 6.287107 that is at least half of it
LESS = Decimal("3.143553")


@pytest.mark.parametrize("how", ["cancelled by us", "ended by the broker"])
@pytest.mark.parametrize(
    "part,anchor,sold", [(HALF, Decimal(105), Decimal(0)), (LESS, Decimal(100), LESS), (None, Decimal(100), Decimal(0))]
)
def test_an_order_that_ends_half_filled_moves_the_anchor(
    told_desk: Desk,
    broker: StandInBroker,
    order: Order,
    clock: time_machine.Traveller,
    how: str,
    part: Decimal | None,
    anchor: Decimal,
    sold: Decimal,
) -> None:
    if part is not None:
        broker.fill(order.client_order_id, part, 105)
        send(told_desk)
        assert fresh(order.cell).anchor == 100, "a part alone moves no anchor"
        order.refresh_from_db()
    if how == "cancelled by us":
        assert order_cancel(order=order, detail="by hand")
    else:
        broker.close(order.client_order_id)
        clock.shift(11)
        send(told_desk)
    cell = fresh(order.cell)
    assert only_order().status == S.CANCELLED
    assert (cell.anchor, cell.sold_since_anchor) == (anchor, sold)
    assert cell.shares == 50 - (part or 0)


def test_what_was_sold_below_half_is_taken_off_the_next_order(
    told_desk: Desk, broker: StandInBroker, order: Order
) -> None:
    broker.fill(order.client_order_id, 2, 104)
    send(told_desk)
    order.refresh_from_db()
    order_cancel(order=order, detail="by hand")
    tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(minutes=1))
    second = Order.objects.exclude(pk=order.pk).get()
    # 48 shares and 5,207.98 at 104: (100/104 − 1) · 1.6667 · 10,199.98 / 104, less the 2 sold already.
    assert second.quantity == Decimal("4.287095")


def test_nothing_left_to_sell_is_already_filled(told_desk: Desk, broker: StandInBroker, order: Order) -> None:
    Cell.objects.update(sold_since_anchor=7)
    order_cancel(order=order, detail="by hand")
    tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(minutes=1))
    evaluation = order.cell.evaluations.latest("as_of")
    assert (evaluation.action, evaluation.reason) == ("SKIP", "already_filled")


def test_a_late_fill_after_a_cancellation_is_booked_and_completes_the_half(
    told_desk: Desk, broker: StandInBroker, order: Order
) -> None:
    broker.fill(order.client_order_id, 3, 104)
    send(told_desk)
    order.refresh_from_db()
    order_cancel(order=order, detail="by hand")
    assert fresh(order.cell).anchor == 100
    broker.fill(order.client_order_id, 1, 108)
    send(told_desk)
    cell = fresh(order.cell)
    assert only_order().status == S.CANCELLED
    assert (cell.anchor, cell.shares, cell.sold_since_anchor) == (105, 46, 0)


def test_a_late_fill_that_completes_a_cancelled_order_fills_it(
    told_desk: Desk, broker: StandInBroker, order: Order
) -> None:
    order_cancel(order=order, detail="by hand")
    broker.fill(order.client_order_id, order.quantity, 104)
    send(told_desk)
    assert only_order().status == S.FILLED
    assert fresh(order.cell).anchor == 104


def test_an_intent_is_cancelled_without_the_broker(told_desk: Desk, told_cell: Cell, broker: StandInBroker) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    assert order_cancel(order=only_order(), detail="by hand")
    send(told_desk)
    assert (only_order().status, broker.requests, broker.cancelled) == (S.CANCELLED, [], [])


def test_a_cancellation_without_answer_is_asked_again(
    told_desk: Desk, broker: StandInBroker, order: Order, clock: time_machine.Traveller
) -> None:
    broker.silent = True
    assert not order_cancel(order=order, detail="by hand")
    assert send(told_desk) == []
    assert only_order().status == S.CANCELLING
    broker.silent = False
    clock.shift(11)
    send(told_desk)
    assert only_order().status == S.CANCELLED
    assert broker.cancelled == [order.client_order_id]


def test_a_cancellation_that_came_too_late_keeps_the_fill(told_desk: Desk, broker: StandInBroker, order: Order) -> None:
    broker.fill(order.client_order_id, order.quantity, 104)
    broker.close(order.client_order_id, BrokerOrderStatus.FILLED)
    assert not order_cancel(order=order, detail="by hand")
    assert only_order().status == S.CANCELLING, "filled, says the broker, and its fill is not booked yet"
    send(told_desk)
    assert (only_order().status, fresh(order.cell).anchor) == (S.FILLED, 104)


def test_a_cancellation_is_only_asked_for_and_its_end_is_learned(
    told_desk: Desk, broker: StandInBroker, order: Order, clock: time_machine.Traveller
) -> None:
    broker.slow_to_cancel = True
    assert not order_cancel(order=order, detail="by hand")
    clock.shift(11)
    send(told_desk)
    assert (only_order().status, len(broker.cancelled)) == (S.CANCELLING, 2), "asked again while it still works"
    broker.close(order.client_order_id)
    clock.shift(11)
    send(told_desk)
    assert (only_order().status, only_order().status_detail) == (S.CANCELLED, "by hand")


def test_a_part_filled_while_cancelling_leaves_it_cancelling_until_it_is_booked(
    told_desk: Desk, broker: StandInBroker, order: Order
) -> None:
    broker.fill(order.client_order_id, 4, 104)
    broker.close(order.client_order_id)
    assert not order_cancel(order=order, detail="by hand")
    assert only_order().status == S.CANCELLING
    send(told_desk)
    assert (only_order().status, only_order().status_detail) == (S.CANCELLED, "by hand")
    assert fresh(order.cell).anchor == 104


def test_an_order_that_has_ended_is_not_ended_again(told_desk: Desk, broker: StandInBroker, order: Order) -> None:
    broker.fill(order.client_order_id, order.quantity, 104)
    send(told_desk)
    before = (Event.objects.count(), order.transitions.count())
    assert not order_end(order=order, after=S.CANCELLED, detail="late")
    assert (Event.objects.count(), order.transitions.count()) == before
    with pytest.raises(ForbiddenMoveError, match="cannot go from filled to cancelling"):
        order_cancel(order=order, detail="late")


def test_a_working_order_is_left_alone(told_desk: Desk, order: Order, clock: time_machine.Traveller) -> None:
    clock.shift(3600)
    send(told_desk)
    assert only_order().status == S.ACCEPTED


@pytest.mark.parametrize("parts", [["1.1", "2.2", "2.987107"], ["0.000001", "6.287106"], ["6.287107"]])
def test_parts_add_up_to_the_whole_to_the_cent(
    told_desk: Desk, broker: StandInBroker, order: Order, parts: list[str]
) -> None:
    for part in parts:
        broker.fill(order.client_order_id, part, "104.005")
        send(told_desk)
    filled, cell = only_order(), fresh(order.cell)
    # 6.287107 · 104.005 = 653.890563…; a ten-thousandth of 653.89 is 0.07.
    assert (filled.status, filled.notional, filled.commission) == (S.FILLED, Decimal("653.89"), Decimal("0.07"))
    assert sum(fill.notional for fill in filled.fills.all()) == Decimal("653.89")
    assert sum(fill.commission for fill in filled.fills.all()) == Decimal("0.07")
    assert (cell.cash, cell.shares, cell.anchor) == (Decimal("5653.82"), Decimal("43.712893"), Decimal("104.005"))
    assert (cell.bought_since_anchor, cell.sold_since_anchor) == (0, 0)
    assert reconcile() == []


def test_more_than_was_ordered_is_booked_as_the_fact_it_is(
    told_desk: Desk, broker: StandInBroker, order: Order
) -> None:
    broker.fill(order.client_order_id, order.quantity, 104)
    broker.fill(order.client_order_id, 1, 104)
    assert len(send(told_desk)) == 2
    cell = fresh(order.cell)
    assert (only_order().status, only_order().filled_quantity) == (S.FILLED, Decimal("7.287107"))
    assert only_order().is_overfilled
    assert (cell.shares, cell.status) == (Decimal("42.712893"), Cell.Status.ACTIVE)
    assert reconcile() == []
