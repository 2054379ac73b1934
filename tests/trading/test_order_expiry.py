"""Day orders end by the exchange's calendar: an intent here, one at the broker as the broker says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine

from portfolios.models import Cell, Portfolio
from tests.trading.builders import OPEN, Desk, fresh, make_replay, make_series, only_order, tick
from tests.trading.standin import StandInBroker
from trading.brokers.base import BrokerOrderStatus
from trading.models import Order, Quote
from trading.services.order_expiry import order_expires_at
from trading.services.orders import orders_send
from trading.services.replays import replay_step

UTC = dt.UTC


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "hours,written,expected",
    [
        ("regular", "2024-03-07T15:30", "2024-03-07T21:00"),
        ("regular", "2024-03-07T20:59:59", "2024-03-07T21:00"),
        ("regular", "2024-03-07T21:00", "2024-03-08T21:00"),
        ("regular", "2024-03-08T22:00", "2024-03-11T20:00"),  # a weekend, and summer time begins
        ("regular", "2024-07-03T15:00", "2024-07-03T17:00"),  # the half day before a holiday
        ("regular", "2024-07-03T17:30", "2024-07-05T20:00"),
        ("extended", "2024-03-07T22:00", "2024-03-08T01:00"),
        ("extended", "2024-03-08T01:30", "2024-03-09T01:00"),
        ("extended", "2024-07-03T18:00", "2024-07-04T00:00"),
    ],
)
def test_the_end_of_a_day_order_is_the_close_of_its_session(
    desk: Desk, hours: str, written: str, expected: str
) -> None:
    desk.portfolio.trading_hours = hours
    for lasts, end in (("day", at(expected)), ("ioc", at(expected)), ("gtc", None)):
        found = order_expires_at(
            portfolio=desk.portfolio, exchange="XNYS", time_in_force=lasts, as_of=at(written), moment=at(written)
        )
        assert found == end


def test_prices_of_before_the_close_written_just_after_it_end_with_their_session(desk: Desk) -> None:
    found = order_expires_at(
        portfolio=desk.portfolio, exchange="XNYS", time_in_force="day",
        as_of=at("2024-03-07T20:59:59"), moment=at("2024-03-07T21:00:01"),
    )  # fmt: skip
    assert found == at("2024-03-07T21:00")


def test_an_intent_never_sent_by_the_close_expires_and_is_not_counted(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell, clock: time_machine.Traveller
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    assert only_order().expires_at == at("2024-03-07T21:00")
    broker.silent = True
    clock.move_to(at("2024-03-07T21:00"))
    orders_send(account_id=told_desk.account.pk)
    assert (only_order().status, only_order().status_detail) == ("expired", "not sent before the close")
    assert (broker.requests, fresh(told_cell).orders_today) == ([], 0)


def test_an_order_at_the_broker_expires_as_the_broker_says(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell, clock: time_machine.Traveller
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    broker.fill(only_order().client_order_id, 1, 104)
    clock.move_to(at("2024-03-07T21:00:30"))
    orders_send(account_id=told_desk.account.pk)
    assert only_order().status == "partially_filled", "the broker says that it still works"
    broker.close(only_order().client_order_id, BrokerOrderStatus.EXPIRED)
    clock.shift(11)
    orders_send(account_id=told_desk.account.pk)
    assert (only_order().status, only_order().filled_quantity) == ("expired", 1)


def test_a_replay_waits_for_its_orders(desk: Desk) -> None:
    run = make_replay(desk.account, make_series([100, 104]))
    for _ in range(2):
        replay_step(run_id=run.pk, only_if_due=False)
    assert Order.objects.get().expires_at is None


@pytest.mark.parametrize("price,sent", [("104.20", True), ("104.21", False), ("103.80", True), ("103.79", False)])
def test_a_price_that_moved_more_than_twenty_basis_points_is_decided_again(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell, price: str, sent: bool
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    Portfolio.objects.update(next_tick_at=OPEN + dt.timedelta(hours=1))
    Quote.objects.update(price=price, reference=price)
    orders_send(account_id=told_desk.account.pk)
    assert bool(broker.requests) == sent
    if not sent:
        assert only_order().status == "cancelled"
        assert only_order().status_detail.startswith(f"The price went from 104 to {price} (20 bps) before it was sent")
        assert Portfolio.objects.get(pk=told_desk.portfolio.pk).next_tick_at == OPEN
        assert fresh(told_cell).orders_today == 0


@pytest.mark.parametrize("purpose", ["manual", "stop", "resting"])
def test_only_the_rules_own_orders_are_decided_again(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell, purpose: str
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    Order.objects.update(purpose=purpose)
    Cell.objects.update(execution="resting" if purpose == "resting" else "watch")
    Quote.objects.update(price=110, reference=110)
    orders_send(account_id=told_desk.account.pk)
    assert len(broker.requests) == 1
