"""What goes wrong at the paper broker, all of it from a seed: any failure can be had again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import Cell
from portfolios.selectors import reconcile
from tests.paper.market import market, order, paper
from tests.trading.builders import OPEN, Desk, fresh, make_desk, open_cell, tick
from trading.brokers.base import (
    BrokerRejectedError,
    BrokerUnreachableError,
    OrderType,
    TimeInForce,
)
from trading.brokers.paper import PaperBroker
from trading.models import Fill, Order, PaperBook, PaperFill, PaperOrder, PaperReport
from trading.services.orders import orders_send
from volbal.common.tenancy import tenant_scope

D = Decimal
BAD_DAY: dict[str, Any] = {
    "delay_seconds": 20, "partial_fill_rate": 0.6, "partial_fill_parts": 4, "slippage_bps": 3, "reject_rate": 0.2,
    "lost_answer_rate": 0.3, "duplicate_rate": 0.3, "shuffle": True, "disconnect_rate": 0.1, "disconnect_seconds": 5,
}  # fmt: skip


def said(call: Callable[[], Any]) -> str:
    """Return what came of a call, in a word or two."""
    try:
        answer = call()
    except BrokerUnreachableError as silence:
        return str(silence)
    except BrokerRejectedError as refusal:
        return refusal.code
    return str(getattr(answer, "status", answer))


def a_bad_day(desk: Desk, clock: time_machine.Traveller, seed: int) -> list[str]:
    """Send forty orders on a bad day, each until it is answered, cancel some, and return everything that happened."""
    broker, log, cursor = paper(desk, seed=seed, **BAD_DAY), [], ""
    for number in range(40):
        market(100 + number % 7, as_of=OPEN)
        request = order(f"vb-{number}", "BUY" if number % 3 else "SELL", 5 + number, time_in_force=TimeInForce.GTC)
        for _ in range(12):
            log.append(said(lambda request=request: broker.submit(request)))
            clock.shift(3)
            if not log[-1].startswith("the "):
                break
        if number % 5 == 0:
            log.append(f"cancel: {said(lambda request=request: broker.cancel(request.client_order_id))}")
        try:
            for report in broker.fills_since(cursor):
                cursor = report.cursor
                log.append(f"{report.client_order_id} {report.quantity:f} at {report.price:f} {report.cursor}")
        except BrokerUnreachableError as silence:
            log.append(f"poll: {silence}")
    return log


def another_desk(slug: str) -> Desk:
    return make_desk(slug)


@pytest.mark.parametrize("seed", [1, 2026])
def test_a_failure_can_be_had_again_from_its_seed(desk: Desk, clock: time_machine.Traveller, seed: int) -> None:
    first = a_bad_day(desk, clock, seed)
    second_desk = another_desk("south")
    with tenant_scope(second_desk.tenant.pk):
        clock.move_to(OPEN)
        second = a_bad_day(second_desk, clock, seed)
    assert second == first
    kinds = {entry for entry in first if entry.startswith("the ")}
    assert kinds == {"the line is down", "the question was lost", "the answer was lost"}


def test_another_seed_is_another_day(desk: Desk, clock: time_machine.Traveller) -> None:
    first = a_bad_day(desk, clock, 1)
    second_desk = another_desk("south")
    with tenant_scope(second_desk.tenant.pk):
        clock.move_to(OPEN)
        assert a_bad_day(second_desk, clock, 2) != first


@pytest.mark.parametrize("seed", range(5))
def test_the_book_adds_up_on_a_bad_day(desk: Desk, clock: time_machine.Traveller, seed: int) -> None:
    a_bad_day(desk, clock, seed)
    broker = paper(desk, seed=seed)
    clock.shift(600)
    for _ in range(10):
        market(100)
        broker.fills_since("")
        clock.shift(30)
    orders = list(PaperOrder.objects.prefetch_related("fills"))
    assert len({one.client_order_id for one in orders}) == len({one.number for one in orders}) == len(orders)
    for one in orders:
        parts = list(one.fills.all())
        assert sum(part.quantity for part in parts) == one.filled_quantity <= one.quantity
        assert sum(part.notional for part in parts) == one.notional
        assert sum(part.commission for part in parts) == one.commission
        assert (one.status == "filled") == (one.filled_quantity == one.quantity)
        assert one.status != "rejected" or not parts
    # Every fill is told at least once, and the numbers have no gap.
    told = list(PaperReport.objects.order_by("number").values_list("number", flat=True))
    assert told == list(range(1, len(told) + 1)) == list(range(1, PaperBook.objects.get().reports + 1))
    assert {one.broker_fill_id for one in broker.fills_since("")} == {
        f"paper-{fill_id}" for fill_id in PaperFill.objects.values_list("id", flat=True)
    }
    held = broker.holdings()
    assert held.shares["IBM"] == sum(
        (fill.quantity if fill.order.side == "BUY" else -fill.quantity)
        for fill in PaperFill.objects.select_related("order")
    )


class TestDelay:
    def test_an_order_works_and_is_told_only_after_a_while(self, desk: Desk, clock: time_machine.Traveller) -> None:
        market(100)
        broker = paper(desk, delay_seconds=60, seed=1)
        broker.submit(order())
        assert (len(broker.open_orders()), broker.fills_since("")) == (1, [])
        clock.shift(60)
        broker.fills_since("")
        assert PaperFill.objects.count() == 1
        clock.shift(60)
        assert len(broker.fills_since("")) == 1

    def test_what_waits_is_told_when_the_delay_is_taken_away(self, desk: Desk, clock: time_machine.Traveller) -> None:
        market(100)
        paper(desk, delay_seconds=60, seed=1).submit(order())
        clock.shift(60)
        broker = paper(desk)
        broker.open_orders()
        clock.shift(60)
        assert len(broker.fills_since("")) == 1


class TestReports:
    def test_told_twice_has_the_same_id_and_another_number(self, desk: Desk) -> None:
        market(100)
        broker = paper(desk, duplicate_rate=1.0)
        broker.submit(order())
        first, second = broker.fills_since("")
        assert first.broker_fill_id == second.broker_fill_id
        assert (first.cursor, second.cursor) == ("1", "2")
        assert broker.fills_since(first.cursor) == [second]

    def test_shuffled_reports_are_all_told_each_with_its_own_commission(self, desk: Desk) -> None:
        market(100)
        broker = paper(desk, shuffle=True, partial_fill_rate=1.0, partial_fill_parts=9, seed=3)
        for number in range(6):
            broker.submit(order(f"vb-{number}", quantity=1000))
        told = broker.fills_since("")
        assert [one.broker_fill_id for one in told] != sorted(one.broker_fill_id for one in told)
        assert len(told) == PaperFill.objects.count()
        own = {f"paper-{fill.pk}": fill.commission for fill in PaperFill.objects.all()}
        assert {one.broker_fill_id: one.commission for one in told} == own


class TestRefusals:
    def test_a_refused_order_stays_refused_and_is_in_the_book(self, desk: Desk) -> None:
        market(100)
        broker = paper(desk, reject_rate=1.0)
        codes = {said(lambda: broker.submit(order())) for _ in range(3)}
        assert len(codes) == 1
        assert codes <= {"insufficient_buying_power", "not_tradable", "rate_limit"}
        known = broker.order("vb-1")
        assert known is not None
        assert (known.status, known.filled_quantity, {known.reject_code}) == ("rejected", 0, codes)
        assert (broker.open_orders(), broker.cancel("vb-1")) == ([], False)

    def test_the_codes_differ(self, desk: Desk) -> None:
        broker = paper(desk, reject_rate=1.0, seed=5)
        codes = {said(lambda number=number: broker.submit(order(f"vb-{number}"))) for number in range(30)}
        assert codes == {"insufficient_buying_power", "not_tradable", "rate_limit"}


class TestLine:
    def test_the_line_stays_down_for_its_time(self, desk: Desk, clock: time_machine.Traveller) -> None:
        broker = paper(desk, disconnect_rate=1.0, disconnect_seconds=30)
        assert said(broker.open_orders) == "the line is down"
        broker = paper(desk, disconnect_rate=0.000001, disconnect_seconds=30)
        clock.shift(29)
        assert said(broker.holdings) == "the line is down"
        clock.shift(1)
        assert broker.holdings().shares == {}

    def test_a_lost_question_leaves_no_order_and_a_lost_answer_one(self, desk: Desk) -> None:
        market(100)
        outcomes = {}
        for seed in range(12):
            second = another_desk(f"firm-{seed}")
            with tenant_scope(second.tenant.pk):
                word = said(lambda: paper(second, lost_answer_rate=1.0, seed=seed).submit(order()))  # noqa: B023
                outcomes.setdefault(word, set()).add(PaperOrder.objects.count())
        assert outcomes == {"the question was lost": {0}, "the answer was lost": {1}}


def test_the_whole_path_comes_to_the_same_books_through_a_bad_day(desk: Desk, clock: time_machine.Traveller) -> None:
    """The price crosses the triggers back and forth; whatever is lost, doubled or shuffled, the books add up."""
    cell = open_cell(desk.portfolio)
    paper(desk, seed=11, **(BAD_DAY | {"reject_rate": 0.0}))
    moment = OPEN
    for step in range(60):
        market(price := 104 if step % 8 < 4 else 99, as_of=moment)
        tick(desk.portfolio, {"IBM": price}, moment)
        orders_send(account_id=desk.account.pk)
        clock.shift(15)
        moment += dt.timedelta(seconds=15)
    paper(desk, seed=11)
    for _ in range(20):
        market(100, as_of=moment)
        orders_send(account_id=desk.account.pk)
        clock.shift(31)
    placed = PaperOrder.objects.exclude(status="rejected")
    assert placed.count() > 1
    assert Fill.objects.count() == PaperFill.objects.count() > placed.count()
    assert set(placed.values_list("client_order_id", flat=True)) <= set(
        Order.objects.values_list("client_order_id", flat=True)
    )
    after: Cell = fresh(cell)
    held = PaperBroker(desk.account).holdings()
    assert (after.shares - 50, after.cash - 5000) == (held.shares["IBM"], held.cash)
    assert reconcile() == []


def test_a_resting_order_survives_a_lost_cancellation(desk: Desk) -> None:
    market(100)
    resting = order(type=OrderType.LIMIT, limit_price=D(90), time_in_force=TimeInForce.GTC)
    paper(desk).submit(resting)
    broker = paper(desk, lost_answer_rate=1.0, seed=2)
    words = [said(lambda: broker.cancel("vb-1")) for _ in range(6)]
    assert set(words) == {"the question was lost", "the answer was lost"}
    known = paper(desk).order("vb-1")
    assert known is not None
    assert known.status == "cancelled"
