"""A lost answer holds up nothing but the order it was about; a line that is down ends the turn."""

from __future__ import annotations

import pytest
import time_machine

from tests.trading.builders import Desk, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.brokers.base import BrokerAccessError, BrokerBusyError, BrokerUnreachableError
from trading.models import BrokerLine, Order
from trading.services import broker_patience
from trading.services.broker_patience import SILENT_IN_A_ROW, Patience
from trading.services.order_cancels import order_cancel
from trading.services.orders import orders_send

S = Order.Status
pytestmark = pytest.mark.usefixtures("clock")
SYMBOLS = ("IBM", "AAPL", "KO", "MSFT", "XOM", "PG")


@pytest.fixture
def lossy(broker: StandInBroker, monkeypatch: pytest.MonkeyPatch) -> StandInBroker:
    """A broker that loses every second answer to a cancellation."""
    asked = []

    def cancel(self: StandInBroker, client_order_id: str) -> bool:
        asked.append(client_order_id)
        if len(asked) % 2:
            raise BrokerUnreachableError("this answer was lost")
        return really(self, client_order_id)

    really = StandInBroker.cancel
    monkeypatch.setattr(StandInBroker, "cancel", cancel)
    return broker


def states() -> list[str]:
    return list(Order.objects.order_by("id").values_list("status", flat=True))


def at_work(desk: Desk) -> list[Order]:
    """Return orders that the broker has accepted, one for each symbol."""
    for symbol in SYMBOLS:
        open_cell(desk.portfolio, symbol)
    tick(desk.portfolio, dict.fromkeys(SYMBOLS, 104))
    orders_send(account_id=desk.account.pk)
    return list(Order.objects.select_related("account").order_by("id"))


def fail(patience: Patience, error: Exception) -> None:
    with patience.call():
        raise error


def test_three_in_a_row_end_the_turn_and_an_answer_starts_anew() -> None:
    patience = Patience()
    for _ in range(3):
        for _ in range(SILENT_IN_A_ROW - 1):
            fail(patience, BrokerUnreachableError("lost"))
        with patience.call():
            pass
    for _ in range(SILENT_IN_A_ROW - 1):
        fail(patience, BrokerUnreachableError("lost"))
    with pytest.raises(BrokerUnreachableError, match="lost"):
        fail(patience, BrokerUnreachableError("lost"))


@pytest.mark.parametrize("error", [BrokerBusyError("no more"), BrokerAccessError("wrong key")])
def test_a_broker_that_says_no_to_all_ends_it_at_once(error: Exception) -> None:
    with pytest.raises(type(error)):
        fail(Patience(), error)


def test_a_call_that_was_waited_for_long_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_patience, "SLOW_SECONDS", -1.0)
    with pytest.raises(BrokerUnreachableError):
        fail(Patience(), BrokerUnreachableError("timed out"))


@pytest.mark.django_db
def test_cancellations_whose_answers_are_lost_hold_up_neither_each_other_nor_fills(
    told_desk: Desk, lossy: StandInBroker, clock: time_machine.Traveller
) -> None:
    orders = at_work(told_desk)
    for order in orders[1:]:
        order_cancel(order=order, detail="by hand", asks=False)
    lossy.fill(orders[0].client_order_id, orders[0].quantity, 104)
    for _ in range(4):
        clock.shift(3)
        orders_send(account_id=told_desk.account.pk)
    assert states() == [S.FILLED, *[S.CANCELLED] * 5]
    assert not BrokerLine.objects.filter(failed_in_a_row__gt=0).exists(), "the line was never taken for dead"


@pytest.mark.django_db
def test_a_cancelled_order_that_never_arrived_ends_although_others_get_no_answer(
    told_desk: Desk, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    orders = at_work(told_desk)
    del broker.book[orders[0].client_order_id]
    order_cancel(order=orders[0], detail="by hand")
    assert states()[0] == S.CANCELLING, "that it does not know it is believed when it has said so twice"
    clock.shift(40)
    orders_send(account_id=told_desk.account.pk)
    assert states() == [S.CANCELLED, *[S.ACCEPTED] * 5]


@pytest.mark.django_db
def test_one_that_was_answered_is_not_asked_for_at_every_turn(
    told_desk: Desk, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    order = at_work(told_desk)[0]
    broker.slow_to_cancel = True
    order_cancel(order=order, detail="by hand")
    for _ in range(3):
        clock.shift(2)
        orders_send(account_id=told_desk.account.pk)
    assert broker.cancelled == [order.client_order_id]
    clock.shift(10)
    orders_send(account_id=told_desk.account.pk)
    assert broker.cancelled == [order.client_order_id] * 2
