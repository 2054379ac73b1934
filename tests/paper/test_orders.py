"""The life of an order in the paper broker's book: types, times in force, ends, and how many questions it takes."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.paper.market import fills, market, order, paper
from tests.trading.builders import OPEN, Desk
from trading.brokers.base import BrokerOrder, BrokerOrderStatus, OrderType, TimeInForce
from trading.brokers.paper import PaperBroker
from trading.models import PaperFill, PaperOrder, PaperReport

S = BrokerOrderStatus
D = Decimal


def known(broker: PaperBroker, name: str = "vb-1") -> BrokerOrder:
    found = broker.order(name)
    assert found is not None
    return found


def test_a_market_order_waits_for_a_quote(desk: Desk) -> None:
    broker = paper(desk)
    assert broker.submit(order()).status == S.WORKING
    assert fills(broker) == []
    market(100)
    assert fills(broker) == [("vb-1", D(10), D(100))]


@pytest.mark.parametrize(
    "quote", [{"bid": 101, "ask": 99, "last": 100}, {"last": 0}, {"bid": 0, "ask": 0}, {"bid": 99}, {}]
)
def test_a_market_that_cannot_be_fills_nothing(desk: Desk, quote: dict[str, int]) -> None:
    market(**quote)
    broker = paper(desk)
    assert broker.submit(order()).status == S.WORKING
    assert (fills(broker), len(broker.open_orders())) == ([], 1)
    market(bid=99, ask=101)
    assert fills(broker) == [("vb-1", D(10), D(101))]


def test_a_stop_limit_stays_triggered_while_it_waits_for_its_limit(desk: Desk) -> None:
    market(100)
    broker = paper(desk)
    broker.submit(order(type=OrderType.STOP_LIMIT, stop_price=D(105), limit_price=D(106)))
    market(108)
    assert fills(broker) == []
    # Below its stop again, and within its limit.
    market(104)
    assert fills(broker) == [("vb-1", D(10), D(104))]


def test_a_stop_that_is_jumped_over_fills_at_the_market(desk: Desk) -> None:
    market(100)
    broker = paper(desk)
    broker.submit(order(side="SELL", type=OrderType.STOP, stop_price=D(95)))
    market(80)
    assert fills(broker) == [("vb-1", D(10), D(80))]


def test_at_once_or_not_at_all_leaves_nothing_open(desk: Desk) -> None:
    market(100)
    broker = paper(desk)
    limit = {"type": OrderType.LIMIT, "limit_price": D(99), "time_in_force": TimeInForce.IOC}
    assert broker.submit(order(**limit)).status == S.CANCELLED
    assert broker.submit(order("vb-2", time_in_force=TimeInForce.IOC)).status == S.FILLED
    in_parts = paper(desk, partial_fill_rate=1.0)
    cut = in_parts.submit(order("vb-3", time_in_force=TimeInForce.IOC))
    assert cut.status == S.CANCELLED
    assert cut.filled_quantity is not None
    assert 0 < cut.filled_quantity < 10


class TestExpiry:
    RESTING = {"type": OrderType.LIMIT, "limit_price": D(90)}

    def test_a_day_order_ends_at_the_close_of_its_exchange(self, desk: Desk, clock: time_machine.Traveller) -> None:
        market(100)
        broker = paper(desk)
        broker.submit(order(**self.RESTING))
        broker.submit(order("vb-2", time_in_force=TimeInForce.GTC, **self.RESTING))
        clock.move_to(dt.datetime(2024, 3, 7, 20, 59, 59, tzinfo=dt.UTC))
        assert known(broker).status == S.WORKING
        clock.shift(1)
        assert known(broker).status == S.EXPIRED
        assert [one.client_order_id for one in broker.open_orders()] == ["vb-2"]
        # The market comes too late for the one and not for the other.
        market(80)
        assert fills(broker) == [("vb-2", D(10), D(80))]

    def test_one_sent_after_the_close_ends_with_the_next_session(
        self, desk: Desk, clock: time_machine.Traveller
    ) -> None:
        # A Friday evening; on the Sunday the clocks in New York go forward.
        clock.move_to(dt.datetime(2024, 3, 8, 22, 0, tzinfo=dt.UTC))
        broker = paper(desk)
        broker.submit(order(**self.RESTING))
        assert PaperOrder.objects.get().expires_at == dt.datetime(2024, 3, 11, 20, 0, tzinfo=dt.UTC)

    def test_one_for_extended_hours_ends_with_them(self, desk: Desk) -> None:
        broker = paper(desk)
        broker.submit(order(extended_hours=True, **self.RESTING))
        assert PaperOrder.objects.get().expires_at == dt.datetime(2024, 3, 8, 1, 0, tzinfo=dt.UTC)

    def test_the_time_asked_for_counts(self, desk: Desk, clock: time_machine.Traveller) -> None:
        broker = paper(desk)
        broker.submit(order(expires_at=OPEN + dt.timedelta(minutes=1), **self.RESTING))
        clock.shift(60)
        assert known(broker).status == S.EXPIRED

    def test_a_replays_orders_go_by_its_own_time(self, desk: Desk, clock: time_machine.Traveller) -> None:
        clock.move_to(dt.datetime(2026, 1, 5, 3, 0, tzinfo=dt.UTC))
        market(100, source="replay:1", as_of=OPEN)
        broker = paper(desk)
        request = order(expires_at=OPEN + dt.timedelta(hours=5), **self.RESTING)
        broker.submit(replace(request, quote_source="replay:1"))
        assert known(broker).status == S.WORKING
        market(100, source="replay:1", as_of=OPEN + dt.timedelta(hours=5))
        assert known(broker).status == S.EXPIRED


def test_a_part_that_expires_or_is_cancelled_is_kept(desk: Desk, clock: time_machine.Traveller) -> None:
    market(100)
    broker = paper(desk, partial_fill_rate=1.0, partial_fill_parts=2, delay_seconds=600, seed=4)
    broker.submit(order())
    _shift_until(broker, clock, S.PARTIALLY_FILLED)
    part = known(broker).filled_quantity
    assert broker.cancel("vb-1")
    clock.shift(3600)
    assert (known(broker).status, known(broker).filled_quantity) == (S.CANCELLED, part)
    assert [quantity for _, quantity, _ in fills(broker)] == [part]


def test_parts_come_one_after_another_at_the_price_of_their_moment(desk: Desk, clock: time_machine.Traveller) -> None:
    market(100)
    broker = paper(desk, partial_fill_rate=1.0, partial_fill_parts=2, delay_seconds=600, seed=4)
    broker.submit(order())
    _shift_until(broker, clock, S.PARTIALLY_FILLED)
    market(101)
    _shift_until(broker, clock, S.FILLED)
    clock.shift(600)
    assert sorted(price for _, _, price in fills(broker)) == [D(100), D(101)]
    assert sum(quantity for _, quantity, _ in fills(broker)) == 10


def _shift_until(broker: PaperBroker, clock: time_machine.Traveller, status: BrokerOrderStatus) -> None:
    for _ in range(200):
        if known(broker).status == status:
            return
        clock.shift(10)
    raise AssertionError(f"the order is {known(broker).status}, never {status}")


def test_costs_of_parts_are_those_of_the_whole(desk: Desk) -> None:
    market("104.005")
    whole = paper(desk)
    whole.submit(order(quantity="6.287107"))
    one = whole.holdings()
    parts = paper(desk, partial_fill_rate=1.0, partial_fill_parts=9, seed=3)
    parts.submit(order("vb-2", quantity="6.287107"))
    assert PaperFill.objects.filter(order__client_order_id="vb-2").count() > 2
    both = parts.holdings()
    assert (both.cash, both.shares["IBM"]) == (2 * one.cash, 2 * one.shares["IBM"])
    assert sum(report.commission or D(0) for report in parts.fills_since("1")) == D("0.07")


def test_the_database_itself_refuses_a_book_that_does_not_add_up(desk: Desk) -> None:
    market(100)
    paper(desk).submit(order())
    for changes in ({"filled_quantity": 11}, {"filled_quantity": -1}, {"quantity": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            PaperOrder.objects.update(**changes)
    fill = PaperFill.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        PaperFill.objects.bulk_create([PaperFill(**_columns(fill))])
    report = PaperReport.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        PaperReport.objects.create(**{**_columns(report), "copy": 1})


def _columns(row: PaperFill | PaperReport) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}


class TestQuestions:
    """The number of queries is fixed."""

    def test_a_submission_takes_a_handful(self, desk: Desk) -> None:
        market(100)
        broker = paper(desk)
        broker.submit(order("vb-0"))
        with CaptureQueriesContext(connection) as asked:
            broker.submit(order())
        # Instrument, savepoint, lock, order, quote; order, fill, report, numbers; release.
        assert len(asked) <= 10

    def test_polling_open_orders_asks_no_more_for_many_than_for_one(self, desk: Desk) -> None:
        market(100)
        broker = paper(desk)
        counts = []
        for number in range(30):
            broker.submit(order(f"vb-{number}", type=OrderType.LIMIT, limit_price=D(50)))
            with CaptureQueriesContext(connection) as asked:
                broker.fills_since("")
            counts.append(len(asked))
        assert (min(counts), max(counts)) == (4, 4)

    def test_filling_many_asks_no_more_than_filling_one(self, desk: Desk) -> None:
        broker = paper(desk)
        counts = []
        for many in (1, 25):
            market(100)
            for number in range(many):
                broker.submit(order(f"vb-{many}-{number}", type=OrderType.LIMIT, limit_price=D(50)))
            market(40)
            with CaptureQueriesContext(connection) as asked:
                assert len(broker.fills_since("")) >= many
            counts.append(len(asked))
        assert counts[0] == counts[1]
