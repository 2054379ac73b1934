"""Orders that rest at a broker that does what it is told, so that everything can come between."""

from __future__ import annotations

from decimal import Decimal

import pytest
import time_machine

from portfolios.models import Event, Portfolio
from portfolios.services import cell_deposit, cell_pause
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, fresh
from tests.trading.resting import BUY, SELL, look, resting, rests
from tests.trading.standin import StandInBroker
from trading.brokers.base import BrokerOrderStatus
from trading.models import Order
from trading.services import order_asking
from trading.services.manual_orders import order_cancel_by_hand
from trading.services.order_states import order_move
from trading.services.orders import orders_send
from trading.services.resting_orders import rest_cancel
from volbal.common.errors import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(told_desk: Desk) -> tuple[Order, Order]:
    resting(told_desk)
    look(told_desk, "100", 0)
    return Order.objects.get(side="SELL"), Order.objects.get(side="BUY")


def test_a_part_leaves_its_own_order_and_sizes_the_other_anew(
    told_desk: Desk, broker: StandInBroker, pair: tuple[Order, Order]
) -> None:
    sell, _ = pair
    broker.fill(sell.client_order_id, 2, 103)
    look(told_desk, "103", 1)
    look(told_desk, "102", 2)
    look(told_desk, "102", 3)
    sell.refresh_from_db()
    assert (sell.status, sell.quantity, sell.filled_quantity) == ("partially_filled", SELL[2], 2)
    held = rests()
    assert held[0] == SELL
    assert (held[1][0], held[1][1], len(held)) == ("BUY", BUY[1], 2)
    assert held[1][2] != BUY[2]
    assert fresh(sell.cell).orders_today == 1
    broker.fill(sell.client_order_id, sell.quantity - 2, 103)
    look(told_desk, "103", 4)
    assert (fresh(sell.cell).anchor, fresh(sell.cell).orders_today) == (103, 1)


def test_what_is_being_cancelled_is_waited_for_however_long(
    told_desk: Desk, broker: StandInBroker, pair: tuple[Order, Order]
) -> None:
    broker.slow_to_cancel = True
    cell_deposit(cell=fresh(pair[0].cell), cash=Decimal(500), as_of=OPEN, origin=BY_TEST)
    for minute in (1, 2, 3):
        look(told_desk, "100", minute)
    assert (Order.objects.count(), rests("cancelling")) == (2, [SELL, BUY])
    for order in pair:
        broker.close(order.client_order_id)
    look(told_desk, "100", 4)
    look(told_desk, "100", 5)
    assert [side for side, *_ in rests()] == ["SELL", "BUY"]
    assert Order.objects.count() == 4


def test_what_died_between_cancelling_and_laying_is_laid_by_the_next_look(
    told_desk: Desk, broker: StandInBroker, pair: tuple[Order, Order]
) -> None:
    cell_deposit(cell=fresh(pair[0].cell), cash=Decimal(500), as_of=OPEN, origin=BY_TEST)
    look(told_desk, "100", 1, sends=0)  # committed, and nothing sent: the sender died
    assert rests("cancelling") == [SELL, BUY]
    assert broker.cancelled == []
    look(told_desk, "100", 2)
    assert sorted(broker.cancelled) == sorted(order.client_order_id for order in pair)
    look(told_desk, "100", 3)
    assert len(rests()) == 2


def test_a_fill_that_comes_while_its_order_is_replaced_is_booked_and_moves_the_anchor(
    told_desk: Desk, broker: StandInBroker, pair: tuple[Order, Order]
) -> None:
    sell, buy = pair
    broker.slow_to_cancel = True
    broker.fill(sell.client_order_id, sell.quantity, 103)
    look(told_desk, "103", 1)
    look(told_desk, "103", 2)
    buy.refresh_from_db()
    assert (buy.status, rests()[0][:2]) == ("cancelling", ("SELL", Decimal("106.090000")))
    broker.fill(buy.client_order_id, buy.quantity, 97)
    broker.close(buy.client_order_id)
    look(told_desk, "97", 3)
    buy.refresh_from_db()
    cell = fresh(buy.cell)
    assert (buy.status, cell.anchor, cell.orders_today) == ("filled", 97, 2)
    assert cell.cash > 0
    broker.slow_to_cancel = False
    look(told_desk, "97", 4)
    look(told_desk, "97", 5)
    assert [limit for _, limit, _ in rests()] == [Decimal("94.090000"), Decimal("99.910000")]


def test_more_than_was_ordered_is_booked_flagged_and_counted_once(
    told_desk: Desk, broker: StandInBroker, pair: tuple[Order, Order]
) -> None:
    sell, _ = pair
    broker.fill(sell.client_order_id, 3, 103)
    broker.fill(sell.client_order_id, 4, 103)
    look(told_desk, "103", 1)
    sell.refresh_from_db()
    cell = fresh(sell.cell)
    assert (sell.is_overfilled, cell.shares, cell.anchor, cell.orders_today) == (True, 43, 103, 1)


def test_what_the_broker_refuses_waits_and_the_other_side_stays(told_desk: Desk, broker: StandInBroker) -> None:
    resting(told_desk)
    broker.refuses = "not today"
    look(told_desk, "100", 0)
    assert set(Order.objects.values_list("status", flat=True)) == {"rejected"}
    broker.refuses = ""
    moment = 0.02
    said = look(told_desk, "100", moment)
    assert (said.action, said.reason, Order.objects.count()) == ("HOLD", "backing_off", 2)
    look(told_desk, "100", 2)
    assert len(rests()) == 2


def test_those_that_got_no_answer_keep_their_sides(told_desk: Desk, broker: StandInBroker) -> None:
    resting(told_desk)
    broker.silent_after_accepting = True
    look(told_desk, "100", 0)
    assert Order.objects.filter(status="unknown").count() == 2
    broker.silent_after_accepting = False
    look(told_desk, "100", 1)
    look(told_desk, "100", 2)
    assert (rests(), Order.objects.count()) == ([SELL, BUY], 2)


def test_one_that_lies_there_is_written_to_no_more(
    told_desk: Desk, broker: StandInBroker, pair: tuple[Order, Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    look(told_desk, "100", 1)  # what the broker says of it is kept once
    applied: list[str] = []
    really = order_asking.broker_order_apply
    monkeypatch.setattr(
        order_asking,
        "broker_order_apply",
        lambda **told: (applied.append(told["told"].client_order_id), really(**told)),
    )
    look(told_desk, "100", 2)
    assert applied == []
    broker.close(pair[0].client_order_id, BrokerOrderStatus.EXPIRED)
    look(told_desk, "100", 3)
    assert applied == [pair[0].client_order_id]
    assert Order.objects.get(pk=pair[0].pk).status == "expired"


def test_a_person_cannot_cancel_what_would_be_laid_again(told_desk: Desk, pair: tuple[Order, Order]) -> None:
    with pytest.raises(Refused, match="would be laid again at the next look"):
        order_cancel_by_hand(order=pair[0], origin=by_owner(told_desk))
    cell_pause(cell=fresh(pair[0].cell), origin=BY_TEST)
    order = Order.objects.get(pk=pair[0].pk)
    with time_machine.travel(OPEN, tick=False):
        assert order_cancel_by_hand(order=order, origin=by_owner(told_desk)).status == "cancelled"


def test_what_rests_in_a_portfolio_that_is_put_away_is_taken_back(
    told_desk: Desk, broker: StandInBroker, pair: tuple[Order, Order]
) -> None:
    Portfolio.objects.update(is_archived=True)
    with time_machine.travel(OPEN, tick=False):
        orders_send(account_id=told_desk.account.pk)
    assert sorted(broker.cancelled) == sorted(order.client_order_id for order in pair)
    assert set(Order.objects.values_list("status", "status_detail")) == {("cancelled", "its portfolio is archived")}


def test_one_that_a_sender_moved_first_is_waited_for(pair: tuple[Order, Order]) -> None:
    seen = Order.objects.get(pk=pair[0].pk)
    order_move(Order.objects.get(pk=seen.pk), Order.Status.CANCELLING, detail="by another")
    assert not rest_cancel(seen, "nothing may rest now")
    assert Order.objects.get(pk=seen.pk).status_detail == "by another"
    assert not Event.objects.filter(kind="order.cancel_asked").exists()
