"""Orders by hand take the rule's path: an intent, the gates that protect money, the broker's own limits, a reason."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import Cell, Event
from portfolios.services.cells import cell_halt
from portfolios.services.origin import Origin
from tests.trading.builders import OPEN, Desk, fresh, make_replay, make_series
from tests.trading.standin import StandInBroker
from trading import tasks
from trading.brokers.base import OrderType, TimeInForce
from trading.models import Order, Quote
from trading.services.manual_orders import order_cancel_by_hand
from trading.services.order_placing import OrderTerms, order_place
from trading.services.orders import orders_send
from trading.services.replays import replay_step
from volbal.common.errors import Refused

WHY = Origin(reason="the results come tonight")


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Keep what is to be sent from being sent at once, and say what would be."""
    woken: list[Any] = []
    monkeypatch.setattr(tasks.send_orders, "apply_async", lambda args, **_: woken.append(args))
    return woken


@pytest.fixture
def priced(told_cell: Cell) -> Cell:
    """5,000.00 and 50 shares, IBM at 100."""
    Quote.objects.create(
        source="synthetic", instrument=told_cell.instrument, last=100, price=100, is_synthetic=True, as_of=OPEN,
        received_at=OPEN,
    )  # fmt: skip
    return told_cell


def terms(side: str = "BUY", quantity: str = "10", **changes: Any) -> OrderTerms:
    return OrderTerms(side, Decimal(quantity), **changes)


def test_an_order_by_hand_is_an_intent_that_is_sent_and_counted(
    told_desk: Desk, broker: StandInBroker, priced: Cell, quiet: list[Any]
) -> None:
    order = order_place(cell=priced, terms=terms(type="limit", limit_price=Decimal(99)), origin=WHY)
    assert (order.status, order.purpose, order.note, order.limit_price) == ("intent", "manual", WHY.reason, 99)
    assert (fresh(priced).orders_today, quiet) == (1, [(told_desk.tenant.pk, told_desk.account.pk)])
    assert Event.objects.get(kind="order.placed").reason == WHY.reason
    orders_send(account_id=told_desk.account.pk)
    assert (broker.requests[0].type, broker.requests[0].limit_price) == (OrderType.LIMIT, 99)
    broker.fill(order.client_order_id, 10, 99)
    orders_send(account_id=told_desk.account.pk)
    cell = fresh(priced)
    assert (cell.cash, cell.shares, cell.anchor) == (Decimal("4009.90"), 60, 99)


def test_a_second_click_is_the_same_order(priced: Cell) -> None:
    key = str(uuid.uuid4())
    orders = {order_place(cell=priced, terms=terms(), origin=WHY, key=key).pk for _ in range(2)}
    assert (len(orders), Order.objects.count(), fresh(priced).orders_today) == (1, 1, 1)


@pytest.mark.parametrize(
    "asked,said",
    [
        (terms(quantity="49.9"), "It may cost 5,015.45 at 100.5, and IBM has 5,000.00"),
        (terms(quantity="51", type="limit", limit_price=Decimal(99)), "It may cost 5,049.50"),
        (terms(quantity="50", type="stop", stop_price=Decimal(110)), "It may cost 5,528.05 at 110.55"),
        (terms("SELL", "50.000001"), "IBM can sell 50 shares, and 50.000001 were asked for"),
        (terms(type="limit"), "needs a limit price, and none was given"),
        (terms(type="stop_limit", limit_price=Decimal(99)), "needs a stop price, and none was given"),
        (terms(limit_price=Decimal(99)), "has no limit price; leave it empty"),
        (terms(quantity="0"), "quantity is 0; expected at least"),
        (terms(quantity="NaN"), "expected a finite number"),
        (terms(type="limit", limit_price=Decimal(-1)), "limit price is -1"),
    ],
)  # fmt: skip
def test_what_the_cell_cannot_cover_or_no_one_can_mean_is_refused(priced: Cell, asked: OrderTerms, said: str) -> None:
    with pytest.raises(Refused, match=said):
        order_place(cell=priced, terms=asked, origin=WHY)
    assert (Order.objects.count(), fresh(priced).orders_today) == (0, 0)


def test_open_orders_are_counted_against_cash_and_shares(priced: Cell) -> None:
    order_place(cell=priced, terms=terms(quantity="30", type="limit", limit_price=Decimal(100)), origin=WHY)
    with pytest.raises(Refused, match=r"It may cost 2,010\.20 .* has 1,999\.70; open orders are counted"):
        order_place(cell=priced, terms=terms(quantity="20"), origin=WHY)
    order_place(cell=priced, terms=terms("SELL", "30"), origin=WHY)
    with pytest.raises(Refused, match="can sell 20 shares"):
        order_place(cell=priced, terms=terms("SELL", "21"), origin=WHY)


def test_what_the_broker_does_not_take_is_refused_with_what_it_takes(broker: StandInBroker, priced: Cell) -> None:
    broker.capabilities = replace(
        broker.capabilities,
        order_types=frozenset({OrderType.MARKET, OrderType.LIMIT}),
        times_in_force=frozenset({TimeInForce.DAY}),
    )
    with pytest.raises(Refused, match=r"stop orders are not taken\. It takes limit, market orders that last day"):
        order_place(cell=priced, terms=terms(type="stop", stop_price=Decimal(90)), origin=WHY)
    with pytest.raises(Refused, match="orders that last gtc are not taken"):
        order_place(cell=priced, terms=terms(time_in_force="gtc"), origin=WHY)


def test_a_halted_cell_takes_no_order_by_hand_and_still_lets_one_be_cancelled(
    told_desk: Desk, broker: StandInBroker, priced: Cell
) -> None:
    order = order_place(cell=priced, terms=terms(type="limit", limit_price=Decimal(90)), origin=WHY)
    orders_send(account_id=told_desk.account.pk)
    cell_halt(cell=priced, origin=Origin(reason="something is wrong"))
    with pytest.raises(Refused, match="trading is halted here: something is wrong"):
        order_place(cell=priced, terms=terms("SELL"), origin=WHY)
    order.refresh_from_db()
    order_cancel_by_hand(order=order, origin=WHY)
    assert order.status == "cancelled"


def test_an_order_needs_a_reason(priced: Cell) -> None:
    with pytest.raises(Refused, match="needs a reason"):
        order_place(cell=priced, terms=terms(), origin=Origin())


def test_a_replay_decides_by_the_rule_alone(desk: Desk) -> None:
    run = make_replay(desk.account, make_series([100, 101]))
    replay_step(run_id=run.pk, only_if_due=False)
    with pytest.raises(Refused, match="A replay decides by the rule alone"):
        order_place(cell=Cell.objects.get(), terms=terms(), origin=WHY)


def test_no_price_means_no_market_buy(told_cell: Cell) -> None:
    with pytest.raises(Refused, match="There is no price"):
        order_place(cell=told_cell, terms=terms(), origin=WHY)
