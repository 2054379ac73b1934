"""Between intent and answer: killed senders, silent brokers, refusals, answers that come after the fill."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
import time_machine

from portfolios.commission import CommissionTerms
from portfolios.models import Cell
from tests.trading.builders import OPEN, Desk, fresh, only_order, tick
from tests.trading.standin import StandInBroker
from trading.brokers.base import DUPLICATE_ORDER, BrokerRejectedError, OrderRequest
from trading.brokers.paper import PaperBroker
from trading.models import Fill, Order, PaperFill, PaperOrder
from trading.services.order_cancels import order_cancel
from trading.services.order_states import order_move
from trading.services.orders import orders_send
from volbal.common.clock import now as clock_now

S = Order.Status


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def intent(told_desk: Desk, told_cell: Cell) -> Order:
    tick(told_desk.portfolio, {"IBM": 104})
    return only_order()


def send(desk: Desk) -> list[Fill]:
    return orders_send(account_id=desk.account.pk)


def moves(order: Order) -> list[str]:
    return [one.after for one in order.transitions.all()]


def test_what_is_asked_of_the_broker_is_the_intent(told_desk: Desk, broker: StandInBroker, intent: Order) -> None:
    send(told_desk)
    assert broker.requests == [
        OrderRequest(
            client_order_id=intent.client_order_id,
            symbol="IBM",
            side="SELL",
            quantity=Decimal("6.287107"),
            limit_price=None,
            quote_source="synthetic",
            commission=CommissionTerms(rate=Decimal("0.0001")),
            expires_at=dt.datetime(2024, 3, 7, 21, tzinfo=dt.UTC),  # the close of its session
        )
    ]
    assert (only_order().status, only_order().broker_order_id) == (S.ACCEPTED, "S1")


@pytest.mark.parametrize("state", [S.SUBMITTING, S.UNKNOWN])
@pytest.mark.parametrize("arrived", [True, False])
def test_a_sender_killed_halfway_is_asked_about_before_anything_is_sent_again(
    told_desk: Desk,
    broker: StandInBroker,
    intent: Order,
    clock: time_machine.Traveller,
    state: Order.Status,
    arrived: bool,
) -> None:
    order_move(intent, S.SUBMITTING)
    if state == S.UNKNOWN:
        order_move(intent, S.UNKNOWN)
    if arrived:
        broker.submit(OrderRequest(intent.client_order_id, "IBM", "SELL", intent.quantity))
    sent = len(broker.requests)
    clock.shift(11)
    send(told_desk)
    assert only_order().status == (S.ACCEPTED if arrived else S.UNKNOWN)
    clock.shift(31)
    send(told_desk)
    assert only_order().status == S.ACCEPTED
    assert len(broker.requests) - sent == (0 if arrived else 1)
    assert list(broker.book) == [intent.client_order_id]


def test_a_sender_may_still_be_waiting_for_its_answer(told_desk: Desk, broker: StandInBroker, intent: Order) -> None:
    order_move(intent, S.SUBMITTING)
    send(told_desk)
    assert (only_order().status, broker.requests) == (S.SUBMITTING, [])


def test_an_order_that_becomes_visible_late_is_not_sent_again(
    told_desk: Desk, broker: StandInBroker, intent: Order, clock: time_machine.Traveller
) -> None:
    broker.silent_after_accepting, broker.forgets = True, True
    send(told_desk)
    for _ in range(2):
        clock.shift(14)
        send(told_desk)
        assert only_order().status == S.UNKNOWN, "a broker that does not know it yet is not believed at once"
    broker.forgets = False
    clock.shift(14)
    send(told_desk)
    assert (only_order().status, len(broker.requests)) == (S.ACCEPTED, 1)


def test_an_order_given_up_that_turns_up_is_cancelled_at_the_broker_and_its_fill_booked(
    told_desk: Desk, broker: StandInBroker, intent: Order, clock: time_machine.Traveller
) -> None:
    """An unknown order is cancelled by hand, the broker denies it for long, and then it is there after all."""
    broker.silent_after_accepting, broker.forgets = True, True
    send(told_desk)
    order_cancel(order=only_order(), detail="by hand")
    for _ in range(3):
        clock.shift(31)
        send(told_desk)
    assert (only_order().status, only_order().status_detail) == (S.CANCELLED, "by hand")
    # Another order keeps the account watched.
    tick(told_desk.portfolio, {"IBM": 104}, clock_now())
    broker.silent_after_accepting, broker.forgets = False, False
    send(told_desk)
    broker.fill(intent.client_order_id, 2, 104)
    clock.shift(31)
    send(told_desk)
    assert not broker.book[intent.client_order_id].is_open
    kept = Order.objects.get(pk=intent.pk)
    assert (kept.status, kept.filled_quantity, fresh(intent.cell).shares) == (S.CANCELLED, 2, 48)


def test_a_broker_that_has_the_id_already_is_asked_for_that_order(
    told_desk: Desk, broker: StandInBroker, intent: Order
) -> None:
    broker.submit(OrderRequest(intent.client_order_id, "IBM", "SELL", intent.quantity))
    broker.refuses, broker.refuses_code = "client order id must be unique", DUPLICATE_ORDER
    send(told_desk)
    assert only_order().status == S.UNKNOWN
    send(told_desk)
    assert (only_order().status, list(broker.book)) == (S.ACCEPTED, [intent.client_order_id])


def test_a_broker_that_goes_silent_after_accepting_is_believed_neither_way(
    told_desk: Desk, broker: StandInBroker, intent: Order, clock: time_machine.Traveller
) -> None:
    broker.silent_after_accepting = True
    send(told_desk)
    assert (only_order().status, only_order().status_detail) == (S.UNKNOWN, "the line went dead")
    broker.silent_after_accepting, broker.silent = False, True
    clock.shift(11)
    assert send(told_desk) == []
    assert only_order().status == S.UNKNOWN
    broker.silent = False
    broker.fill(intent.client_order_id, intent.quantity, 104)
    send(told_desk)
    assert len(broker.requests) == 1
    assert (only_order().status, fresh(intent.cell).anchor) == (S.FILLED, 104)
    assert moves(intent) == [S.SUBMITTING, S.UNKNOWN, S.ACCEPTED, S.FILLED]


def test_nothing_new_is_sent_to_a_broker_that_does_not_answer(
    told_desk: Desk, broker: StandInBroker, intent: Order, clock: time_machine.Traveller
) -> None:
    order_move(intent, S.SUBMITTING)
    clock.shift(11)
    broker.silent = True
    assert send(told_desk) == []
    assert (only_order().status, broker.requests) == (S.UNKNOWN, [])


def test_a_refused_order_ends_with_the_brokers_reason(told_desk: Desk, broker: StandInBroker, intent: Order) -> None:
    broker.refuses, broker.refuses_code = "not shortable", "not_shortable"
    send(told_desk)
    send(told_desk)
    cell, order = fresh(intent.cell), only_order()
    assert (order.status, order.status_detail, order.reject_code) == (S.REJECTED, "not shortable", "not_shortable")
    assert (cell.cash, cell.shares, cell.anchor, cell.orders_today) == (5_000, 50, 100, 1)
    assert len(broker.requests) == 1


def test_an_answer_that_comes_after_the_fill_changes_nothing_but_the_number(
    told_desk: Desk, broker: StandInBroker, intent: Order
) -> None:
    def another_sender_books_the_fill() -> None:
        broker.during_submit = None
        broker.fill(intent.client_order_id, intent.quantity, 104)
        assert len(send(told_desk)) == 1

    broker.during_submit = another_sender_books_the_fill
    assert send(told_desk) == []
    assert (only_order().status, only_order().broker_order_id) == (S.FILLED, "S1")
    assert moves(intent) == [S.SUBMITTING, S.FILLED]


def test_a_silence_after_the_fill_leaves_it_filled(told_desk: Desk, broker: StandInBroker, intent: Order) -> None:
    def another_sender_books_the_fill() -> None:
        broker.during_submit = None
        broker.fill(intent.client_order_id, intent.quantity, 104)
        send(told_desk)

    broker.during_submit, broker.silent_after_accepting = another_sender_books_the_fill, True
    send(told_desk)
    assert only_order().status == S.FILLED


class TestPaperBroker:
    def test_a_client_order_id_is_placed_and_filled_once(self, desk: Desk, cell: Cell) -> None:
        tick(desk.portfolio, {"IBM": 104})
        order = only_order()
        request = OrderRequest(order.client_order_id, "IBM", "SELL", order.quantity, quote_source="synthetic")
        answers = [PaperBroker(desk.account).submit(request) for _ in range(2)]
        assert answers[0] == answers[1]
        assert not answers[0].is_open
        assert (PaperOrder.objects.count(), PaperFill.objects.count()) == (1, 1)

    def test_a_killed_sender_leaves_exactly_one_order(
        self, desk: Desk, cell: Cell, clock: time_machine.Traveller
    ) -> None:
        tick(desk.portfolio, {"IBM": 104})
        order_move(only_order(), S.SUBMITTING)
        clock.shift(11)
        assert send(desk) == []
        clock.shift(31)
        assert len(send(desk)) == 1
        assert len(send(desk)) == 0
        assert (PaperOrder.objects.count(), Fill.objects.count(), only_order().status) == (1, 1, S.FILLED)
        assert moves(only_order()) == [S.SUBMITTING, S.UNKNOWN, S.INTENT, S.SUBMITTING, S.ACCEPTED, S.FILLED]

    def test_a_limit_waits_for_its_price(self, desk: Desk, cell: Cell, clock: time_machine.Traveller) -> None:
        tick(desk.portfolio, {"IBM": 96})
        Order.objects.update(purpose=Order.Purpose.MANUAL)
        clock.shift(60)
        # The price runs away between decision and submission: beyond the limit of 96.48.
        tick(desk.portfolio, {"IBM": 97}, OPEN.replace(minute=31))
        assert send(desk) == []
        assert PaperBroker(desk.account).open_orders()[0].is_open
        clock.shift(60)
        tick(desk.portfolio, {"IBM": "96.40"}, OPEN.replace(minute=32))
        assert [fill.price for fill in send(desk)] == [Decimal("96.40")]

    def test_it_says_what_it_holds(self, desk: Desk, cell: Cell) -> None:
        tick(desk.portfolio, {"IBM": 104})
        send(desk)
        held = PaperBroker(desk.account).holdings()
        assert (held.shares, held.cash) == ({"IBM": Decimal("-6.287107")}, Decimal("653.79"))

    def test_an_unknown_symbol_is_refused(self, desk: Desk) -> None:
        request = OrderRequest("x", "NONE", "BUY", Decimal(1), quote_source="synthetic")
        with pytest.raises(BrokerRejectedError, match="unknown symbol NONE"):
            PaperBroker(desk.account).submit(request)
