"""What somebody decides on what was true a moment ago: nothing is sent, lost or taken for ended by it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
import time_machine

from portfolios.models import Cell
from portfolios.selectors import reconcile
from portfolios.services import cell_archive, cell_pause, cell_withdraw, portfolio_archive
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, fresh, make_actions, only_order, tick
from tests.trading.standin import StandInBroker
from trading.models import Evaluation, Order
from trading.services.corporate_actions import splits_due
from trading.services.order_cancels import order_cancel
from trading.services.order_states import order_claim
from trading.services.orders import orders_cancel_forbidden, orders_send
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.reconciliation import account_reconcile
from volbal.common.clock import now as clock_now
from volbal.common.errors import Conflict
from volbal.strategy import Split

S = Order.Status


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def intent(told_desk: Desk, told_cell: Cell) -> Order:
    tick(told_desk.portfolio, {"IBM": 104})
    return only_order()


def send(desk: Desk) -> None:
    orders_send(account_id=desk.account.pk)


def test_an_intent_that_a_sender_has_claimed_is_not_taken_for_cancelled(
    told_desk: Desk, broker: StandInBroker, intent: Order
) -> None:
    seen = Order.objects.get(pk=intent.pk)
    told = []

    def cancel() -> None:
        try:
            order_cancel(order=seen, detail="by hand")
        except Conflict as first:
            told.append(first)

    broker.during_submit = cancel
    send(told_desk)
    assert len(told) == 1
    assert (only_order().status, broker.book[intent.client_order_id].is_open) == (S.ACCEPTED, True)


def test_an_intent_of_a_cell_that_was_put_away_is_not_sent(
    told_desk: Desk, broker: StandInBroker, intent: Order
) -> None:
    cell = fresh(intent.cell)
    cell_pause(cell=cell, origin=BY_TEST)
    cell_archive(cell=cell, origin=BY_TEST)
    send(told_desk)
    assert (broker.requests, only_order().status) == ([], S.CANCELLED)


def test_an_intent_of_a_portfolio_that_was_put_away_is_not_sent(
    told_desk: Desk, broker: StandInBroker, intent: Order
) -> None:
    portfolio_archive(portfolio=told_desk.portfolio, origin=BY_TEST)
    send(told_desk)
    assert (broker.requests, only_order().status) == ([], S.CANCELLED)


def test_an_order_at_work_for_a_cell_that_is_put_away_is_cancelled(
    told_desk: Desk, broker: StandInBroker, intent: Order
) -> None:
    send(told_desk)
    portfolio_archive(portfolio=told_desk.portfolio, origin=BY_TEST)
    send(told_desk)
    assert (broker.cancelled, only_order().status) == ([intent.client_order_id], S.CANCELLED)


def test_an_intent_of_a_cell_paused_since_is_not_sent(told_desk: Desk, broker: StandInBroker, intent: Order) -> None:
    cell_pause(cell=fresh(intent.cell), origin=BY_TEST)
    send(told_desk)
    assert (broker.requests, only_order().status) == ([], S.CANCELLED)


def test_a_buy_is_not_sent_for_money_that_is_gone(told_desk: Desk, told_cell: Cell, broker: StandInBroker) -> None:
    tick(told_desk.portfolio, {"IBM": 96})
    assert only_order().side == "BUY"
    cell_withdraw(cell=fresh(told_cell), cash=Decimal(4_990), as_of=OPEN, origin=BY_TEST)
    send(told_desk)
    assert broker.requests == []
    assert only_order().status == S.CANCELLED


def test_a_sale_is_not_sent_for_shares_that_are_gone(told_desk: Desk, broker: StandInBroker, intent: Order) -> None:
    cell_withdraw(cell=fresh(intent.cell), shares=Decimal(45), as_of=OPEN, origin=BY_TEST)
    send(told_desk)
    assert (broker.requests, only_order().status) == ([], S.CANCELLED)
    assert only_order().status_detail == "not sent: it sells 6.287107 shares, and the cell has 5"


def test_what_a_halt_would_cancel_is_left_to_the_sender_that_claimed_it(
    told_desk: Desk, intent: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Order.objects.get(pk=intent.pk)
    assert order_claim(intent, S.SUBMITTING)
    monkeypatch.setattr("trading.services.orders.orders_forbidden", lambda account: [(seen, "a halt")])
    orders_cancel_forbidden(account=told_desk.account)
    assert only_order().status == S.SUBMITTING


def test_an_order_claimed_as_its_split_is_found_keeps_the_cell_waiting(
    told_desk: Desk, intent: Order, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender is first between the look at open orders and their cancellation: the split waits for the answer."""
    make_actions(Split(OPEN.date(), 2.0))

    def found(cells: list[Cell], moment: dt.datetime) -> frozenset[int]:
        assert order_claim(intent, S.SUBMITTING)
        return splits_due(cells, moment)

    monkeypatch.setattr("trading.services.portfolio_ticks.splits_due", found)
    clock.shift(60)
    portfolio_tick(portfolio=told_desk.portfolio)
    assert (only_order().status, fresh(intent.cell).shares) == (S.SUBMITTING, 50)
    assert Evaluation.objects.order_by("id").last().reason == "corporate_action_pending"


def test_a_clock_ten_minutes_ahead_and_right_again_repeats_nothing(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    clock.shift(600)
    tick(told_desk.portfolio, {"IBM": 104}, clock_now())
    send(told_desk)
    clock.shift(-590)
    assert tick(told_desk.portfolio, {"IBM": 104}, clock_now()) is None
    broker.fill(only_order().client_order_id, only_order().quantity, 104, as_of=clock_now())
    send(told_desk)
    assert (only_order().status, fresh(told_cell).anchor, reconcile()) == (S.FILLED, 104, [])
    clock.shift(600)
    assert tick(told_desk.portfolio, {"IBM": 108}, clock_now()) is not None
    assert [one.side for one in Order.objects.order_by("id")] == ["SELL", "SELL"]


def test_an_order_given_up_that_turns_up_alone_is_cancelled_at_the_broker(
    told_desk: Desk, broker: StandInBroker, intent: Order, clock: time_machine.Traveller
) -> None:
    broker.silent_after_accepting, broker.forgets = True, True
    send(told_desk)
    order_cancel(order=only_order(), detail="by hand")
    for _ in range(3):
        clock.shift(31)
        send(told_desk)
    assert only_order().status == S.CANCELLED
    broker.silent_after_accepting, broker.forgets = False, False
    clock.shift(31)
    account_reconcile(account_id=told_desk.account.pk)
    assert not broker.book[intent.client_order_id].is_open
