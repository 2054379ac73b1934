"""Many intents at once: claimed together, sent one by one, each exactly once whatever comes between."""

from __future__ import annotations

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portfolios.models import Cell
from tests.trading.builders import Desk, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.models import Order, OrderTransition
from trading.services import intent_sending
from trading.services.broker_patience import SILENT_IN_A_ROW
from trading.services.order_states import ForbiddenMoveError, order_move, orders_claim
from trading.services.orders import orders_send

S = Order.Status
pytestmark = pytest.mark.usefixtures("clock")
SYMBOLS = ("IBM", "AAPL", "KO", "MSFT", "XOM")


@pytest.fixture
def intents(told_desk: Desk, told_cell: Cell) -> list[Order]:
    for symbol in SYMBOLS[1:]:
        open_cell(told_desk.portfolio, symbol)
    tick(told_desk.portfolio, dict.fromkeys(SYMBOLS, 104))
    return list(Order.objects.order_by("id"))


def states() -> list[str]:
    return list(Order.objects.order_by("id").values_list("status", flat=True))


def asked_for(broker: StandInBroker) -> list[str]:
    return [request.client_order_id for request in broker.requests]


def test_all_go_out_in_their_order_and_each_move_is_kept(
    told_desk: Desk, broker: StandInBroker, intents: list[Order]
) -> None:
    orders_send(account_id=told_desk.account.pk)
    assert asked_for(broker) == [order.client_order_id for order in intents]
    assert states() == [S.ACCEPTED] * len(SYMBOLS)
    moves = list(OrderTransition.objects.order_by("order_id", "id").values_list("before", "after"))
    assert moves == [(S.INTENT, S.SUBMITTING), (S.SUBMITTING, S.ACCEPTED)] * len(SYMBOLS)


def test_what_there_is_no_time_for_is_given_back_and_sent_after_it(
    told_desk: Desk, broker: StandInBroker, intents: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intent_sending, "CLAIM_SECONDS", 0.0)
    orders_send(account_id=told_desk.account.pk)
    assert asked_for(broker) == [order.client_order_id for order in intents]
    assert states() == [S.ACCEPTED] * len(SYMBOLS)
    assert intents[-1].transitions.filter(after=S.INTENT).count() == len(SYMBOLS) - 1


def test_one_lost_answer_leaves_its_own_order_unknown_and_the_others_go_out(
    told_desk: Desk, broker: StandInBroker, intents: list[Order]
) -> None:
    def lose_one() -> None:
        broker.silent_after_accepting = len(broker.requests) == 2

    broker.during_submit = lose_one
    orders_send(account_id=told_desk.account.pk)
    assert states() == [S.ACCEPTED, S.UNKNOWN, S.ACCEPTED, S.ACCEPTED, S.ACCEPTED]
    assert asked_for(broker) == [order.client_order_id for order in intents]


def test_a_broker_that_falls_silent_leaves_those_behind_as_intents(
    told_desk: Desk, broker: StandInBroker, intents: list[Order]
) -> None:
    def go_silent() -> None:
        broker.silent_after_accepting = len(broker.requests) >= 2

    broker.during_submit = go_silent
    orders_send(account_id=told_desk.account.pk)
    assert states() == [S.ACCEPTED, *[S.UNKNOWN] * SILENT_IN_A_ROW, S.INTENT]
    assert asked_for(broker) == [order.client_order_id for order in intents[:4]]


def test_a_sender_killed_among_many_sends_none_of_them_twice(
    told_desk: Desk, broker: StandInBroker, intents: list[Order], clock: time_machine.Traveller
) -> None:
    def die() -> None:
        if len(broker.requests) == 3:
            raise KeyboardInterrupt

    broker.during_submit = die
    claimed = orders_claim(intents, S.SUBMITTING)
    assert [order.pk for order in claimed] == [order.pk for order in intents]
    for order in claimed[:2]:
        broker.submit(intent_sending.order_request(order))
    with pytest.raises(KeyboardInterrupt):
        broker.submit(intent_sending.order_request(claimed[2]))
    broker.during_submit = None
    for _ in range(4):
        clock.shift(31)
        orders_send(account_id=told_desk.account.pk)
    assert states() == [S.ACCEPTED] * len(SYMBOLS)
    assert sorted(asked_for(broker)) == sorted(order.client_order_id for order in intents)


def test_one_that_another_process_moved_is_left_to_it(intents: list[Order]) -> None:
    taken = Order.objects.get(pk=intents[1].pk)
    order_move(taken, S.SUBMITTING)
    claimed = orders_claim(intents, S.SUBMITTING)
    assert [order.pk for order in claimed] == [order.pk for order in intents if order.pk != taken.pk]
    assert intents[1].status == S.INTENT, "what was not claimed is not changed in memory either"
    assert taken.transitions.count() == 1


def test_a_move_that_the_table_does_not_have_changes_none(intents: list[Order]) -> None:
    with pytest.raises(ForbiddenMoveError):
        orders_claim(intents, S.UNKNOWN)
    assert states() == [S.INTENT] * len(SYMBOLS)
    assert not OrderTransition.objects.exists()


def test_a_claim_takes_the_same_queries_for_one_and_for_five(intents: list[Order]) -> None:
    with CaptureQueriesContext(connection) as one:
        orders_claim(intents[:1], S.SUBMITTING)
    with CaptureQueriesContext(connection) as rest:
        orders_claim(intents[1:], S.SUBMITTING)
    assert len(one) == len(rest)
