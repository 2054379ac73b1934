"""Two workers at once on PostgreSQL: real threads that start together, and one outcome."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import uuid
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from portfolios.models import Cell, Event, Portfolio
from portfolios.selectors import reconcile
from portfolios.services.origin import Origin
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import (
    OPEN,
    Desk,
    fresh,
    make_desk,
    make_replay,
    make_series,
    only_order,
    open_cell,
    quote,
    tick,
)
from tests.trading.standin import StandInBroker
from tests.trading.threads import WAIT_SECONDS, together
from trading.brokers.base import BrokerOrder, BrokerOrderStatus, BrokerUpdate, OrderRequest
from trading.brokers.paper import PaperBroker
from trading.models import (
    Evaluation,
    Fill,
    HeldFill,
    HeldFillResolution,
    Order,
    OrderTransition,
    PaperFill,
    PaperOrder,
    RefusedReport,
    ReplayRun,
    Tick,
)
from trading.services.broker_updates import broker_update_apply
from trading.services.dispatch import portfolios_claim_due
from trading.services.fills import fill_book
from trading.services.held_fills import held_fill_adopt, held_fill_ignore
from trading.services.manual_orders import order_cancel_by_hand
from trading.services.order_ends import order_end
from trading.services.order_placing import OrderTerms, order_place
from trading.services.orders import orders_send
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.replays import replay_start, replay_step
from volbal.common import clock
from volbal.common.errors import Conflict, Refused
from volbal.common.tenancy import every_tenant, tenant_scope

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def far_desk(transactional_db: None) -> Iterator[Desk]:
    made = make_desk()
    with tenant_scope(made.tenant.pk):
        yield made


@pytest.fixture
def told_desk(transactional_db: None, broker: StandInBroker) -> Iterator[Desk]:
    made = make_desk("told", broker="stand-in")
    with tenant_scope(made.tenant.pk):
        yield made


def test_two_ticks_of_one_moment_are_one(far_desk: Desk) -> None:
    cell = open_cell(far_desk.portfolio)
    call = lambda: tick(far_desk.portfolio, {"IBM": 104})  # noqa: E731  # the same call, many times
    outcomes = together(far_desk.tenant.pk, *[call] * 4)
    assert sorted(outcome is not None for outcome in outcomes) == [False, False, False, True]
    assert (Tick.objects.count(), Evaluation.objects.count(), Order.objects.count()) == (1, 1, 1)
    assert fresh(cell).orders_today == 1


def test_each_intent_is_claimed_by_one_sender(told_desk: Desk, broker: StandInBroker) -> None:
    symbols = [f"S{number}" for number in range(8)]
    for symbol in symbols:
        open_cell(told_desk.portfolio, symbol)
    tick(told_desk.portfolio, dict.fromkeys(symbols, 104))
    together(told_desk.tenant.pk, *[lambda: orders_send(account_id=told_desk.account.pk)] * 3)
    asked = [request.client_order_id for request in broker.requests]
    assert sorted(asked) == sorted(Order.objects.values_list("client_order_id", flat=True))
    assert len(asked) == len(set(asked)) == 8
    assert set(Order.objects.values_list("status", flat=True)) == {"accepted"}
    assert OrderTransition.objects.count() == 16


def test_one_report_is_booked_by_one(told_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(told_desk.portfolio)
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    report = broker.fill(only_order().client_order_id, only_order().quantity, 104)
    call = lambda: fill_book(account=told_desk.account, report=report)  # noqa: E731  # the same call, many times
    booked = together(told_desk.tenant.pk, *[call] * 4)
    assert sorted(fill is not None for fill in booked) == [False, False, False, True]
    assert (Fill.objects.count(), Event.objects.filter(kind="cell.filled").count()) == (1, 1)
    assert (fresh(cell).shares, reconcile()) == (Decimal("43.712893"), [])


def test_parts_booked_at_once_add_up(told_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(told_desk.portfolio)
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    order = only_order()
    reports = [broker.fill(order.client_order_id, part, 104) for part in ("1.5", "1.5", "1.5", "1.787107")]
    calls = [lambda report=report: fill_book(account=told_desk.account, report=report) for report in reports]
    together(told_desk.tenant.pk, *calls)
    assert (only_order().status, only_order().notional, only_order().commission) == (
        "filled",
        Decimal("653.86"),
        Decimal("0.07"),
    )
    assert (fresh(cell).cash, fresh(cell).anchor, reconcile()) == (Decimal("5653.79"), 104, [])


def test_a_fill_and_an_end_at_once_leave_the_order_filled(told_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(told_desk.portfolio)
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    report = broker.fill(only_order().client_order_id, only_order().quantity, 104)
    together(
        told_desk.tenant.pk,
        lambda: fill_book(account=told_desk.account, report=report),
        lambda: order_end(order=Order.objects.get(), after=Order.Status.CANCELLED, detail="at once"),
    )
    assert (only_order().status, fresh(cell).anchor) == ("filled", 104)


def test_a_foreign_report_is_held_once(told_desk: Desk, broker: StandInBroker) -> None:
    report = broker.fill("someone-elses", 1, 104, symbol="IBM", side="BUY")
    call = lambda: fill_book(account=told_desk.account, report=report)  # noqa: E731  # the same call, many times
    together(told_desk.tenant.pk, *[call] * 3)
    assert (HeldFill.objects.count(), Event.objects.filter(kind="fill.held").count()) == (1, 1)


def test_every_fill_of_the_paper_broker_is_booked_by_some_sender(far_desk: Desk) -> None:
    symbols = [f"S{number}" for number in range(12)]
    for symbol in symbols:
        open_cell(far_desk.portfolio, symbol)
    tick(far_desk.portfolio, dict.fromkeys(symbols, 104))
    booked = together(far_desk.tenant.pk, *[lambda: orders_send(account_id=far_desk.account.pk)] * 4)
    assert sum(len(fills) for fills in booked) == Fill.objects.count() == 12
    assert (PaperOrder.objects.count(), PaperFill.objects.count()) == (12, 12)
    assert set(Order.objects.values_list("status", flat=True)) == {"filled"}
    assert set(Cell.objects.values_list("anchor", flat=True)) == {Decimal(104)}
    assert reconcile() == []


def test_a_fill_that_is_not_committed_yet_is_waited_for_and_not_read_past(far_desk: Desk) -> None:
    for symbol in ("IBM", "AAPL"):
        open_cell(far_desk.portfolio, symbol)
    tick(far_desk.portfolio, {"IBM": 104, "AAPL": 104})
    first, second = (
        OrderRequest(one.client_order_id, one.cell.instrument.symbol, one.side, one.quantity,
                     quote_source=one.quote_source)
        for one in Order.objects.select_related("cell__instrument").order_by("id")
    )  # fmt: skip
    paper = PaperBroker(far_desk.account)

    def fills_of_the_second() -> list[str]:
        with every_tenant():
            paper.submit(second)
            read = [report.broker_fill_id for report in paper.fills_since("")]
        connection.close()
        return read

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            paper.submit(first)
            running = pool.submit(fills_of_the_second)
            wait([running], timeout=1)
        read = running.result(timeout=WAIT_SECONDS)
    assert read == [f"paper-{fill_id}" for fill_id in PaperFill.objects.order_by("id").values_list("id", flat=True)]
    assert len(read) == 2


def test_two_dispatchers_claim_a_portfolio_once(far_desk: Desk) -> None:
    Portfolio.objects.update(next_tick_at=clock.now())

    def claim() -> list[Any]:
        with every_tenant():
            return portfolios_claim_due()

    assert sorted(len(claimed) for claimed in together(far_desk.tenant.pk, *[claim] * 4)) == [0, 0, 0, 1]


def test_ticks_of_a_portfolio_at_once_are_one_and_the_second_does_not_wait(
    far_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_cell(far_desk.portfolio)
    fetching, goes_on = threading.Event(), threading.Event()

    class SlowFeed:
        """Gives its quotes once it is told to."""

        name = source = "synthetic"
        is_synthetic = True
        is_two_sided = is_remote = is_delayed = False

        def quotes(self, instruments: list[Any], moment: dt.datetime) -> list[Any]:
            fetching.set()
            assert goes_on.wait(WAIT_SECONDS)
            return [quote(one, 104, moment) for one in instruments]

    monkeypatch.setattr("trading.services.portfolio_ticks.feed_of", lambda portfolio: SlowFeed())

    def second() -> Any:
        try:
            assert fetching.wait(WAIT_SECONDS)
            return portfolio_tick(portfolio=far_desk.portfolio)
        finally:
            goes_on.set()

    outcomes = together(far_desk.tenant.pk, lambda: portfolio_tick(portfolio=far_desk.portfolio), second)
    assert (outcomes[0] is not None, outcomes[1]) == (True, None)
    assert Tick.objects.count() == 1


HOLD_A_TICK = """
import sys
import django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
from volbal.common.exclusive import only_one
with only_one("tick", int(sys.argv[2])) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""


def test_another_process_holds_its_tick_until_it_ends_or_is_killed(far_desk: Desk) -> None:
    open_cell(far_desk.portfolio)
    command = [sys.executable, "-c", HOLD_A_TICK, connection.settings_dict["NAME"], str(far_desk.portfolio.pk)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert portfolio_tick(portfolio=far_desk.portfolio) is None
        other.kill()
        other.wait(WAIT_SECONDS)
    # PostgreSQL notices the end of the session in its own time.
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{WAIT_SECONDS}s'")
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", (zlib.crc32(b"tick") - 2**31, far_desk.portfolio.pk))
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", (zlib.crc32(b"tick") - 2**31, far_desk.portfolio.pk))
    assert portfolio_tick(portfolio=far_desk.portfolio) is not None


def test_a_step_that_is_due_once_is_taken_once(far_desk: Desk) -> None:
    run = make_replay(far_desk.account, make_series([100, 101, 102]))
    replay_start(run=run, origin=BY_TEST)
    # One step in ten seconds, and twelve have passed.
    twelve_ago = clock.now() - dt.timedelta(seconds=12)
    ReplayRun.objects.update(paced_from=twelve_ago, steps_per_second=Decimal("0.1"))
    outcomes = together(far_desk.tenant.pk, *[lambda: replay_step(run_id=run.pk)] * 4)
    assert sorted(outcome is not None for outcome in outcomes) == [False, False, False, True]
    assert ReplayRun.objects.get().position == Tick.objects.count() == 1


def test_ticks_and_senders_at_once_never_wait_for_each_other_for_good(far_desk: Desk) -> None:
    symbols = [f"S{number}" for number in range(6)]
    for symbol in symbols:
        open_cell(far_desk.portfolio, symbol)

    def ticks() -> None:
        # The last price is one that sells, so that whatever the senders missed is sent at the end.
        for minute in range(11):
            price = 104 if minute % 2 == 0 else 100
            tick(far_desk.portfolio, dict.fromkeys(symbols, price), OPEN + dt.timedelta(minutes=minute))

    def sends() -> None:
        for _ in range(10):
            orders_send(account_id=far_desk.account.pk)

    together(far_desk.tenant.pk, ticks, sends, sends)
    orders_send(account_id=far_desk.account.pk)
    # What was decided at 104 and not sent before the price was 100 again was decided anew.
    sent = Order.objects.exclude(status="cancelled")
    assert set(sent.values_list("status", flat=True)) == {"filled"}
    assert Fill.objects.count() == sent.count() == PaperFill.objects.count() >= 1
    assert not PaperOrder.objects.filter(
        client_order_id__in=Order.objects.filter(status="cancelled").values("client_order_id")
    ).exists()
    assert Tick.objects.count() == 11
    assert reconcile() == []


def test_a_held_fill_is_adopted_by_one_cell_whoever_clicks_at_once(told_desk: Desk, broker: StandInBroker) -> None:
    cells = [open_cell(told_desk.portfolio), open_cell(told_desk.portfolio, name="second")]
    fill_book(account=told_desk.account, report=broker.fill("theirs", 4, 104, symbol="IBM", side="BUY"))
    held, why = HeldFill.objects.get(), Origin(reason="at once")

    def adopt(cell: Cell) -> str:
        try:
            return held_fill_adopt(held=held, cell=fresh(cell), origin=why).decision
        except (Conflict, Refused) as first:
            return first.code

    def ignore() -> str:
        try:
            return held_fill_ignore(held=held, origin=why).decision
        except (Conflict, Refused) as first:
            return first.code

    together(told_desk.tenant.pk, *[lambda cell=cell: adopt(cell) for cell in (*cells, *cells)], ignore)
    decided = HeldFillResolution.objects.get()
    assert Fill.objects.count() == (0 if decided.decision == "ignore" else 1)
    assert sum(fresh(cell).shares for cell in cells) == 100 + 4 * Fill.objects.count()
    assert reconcile() == []


def test_a_refused_report_is_counted_by_all_and_kept_once(told_desk: Desk, broker: StandInBroker) -> None:
    report = broker.fill("theirs", -4, 104, symbol="IBM", side="BUY")
    call = lambda: fill_book(account=told_desk.account, report=report)  # noqa: E731  # the same call, many times
    together(told_desk.tenant.pk, *[call] * 4)
    assert (RefusedReport.objects.get().repetitions, Event.objects.filter(kind="report.refused").count()) == (4, 1)


def test_a_cancellation_its_end_and_a_fill_at_once_agree_in_the_end(told_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(told_desk.portfolio)
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    order = only_order()
    report = broker.fill(order.client_order_id, 4, 104)
    told = BrokerOrder(order.client_order_id, "S1", BrokerOrderStatus.CANCELLED, Decimal(4))

    def cancel() -> None:
        try:
            order_cancel_by_hand(order=Order.objects.get(), origin=Origin(reason="at once"))
        except (Conflict, Refused):
            return

    together(
        told_desk.tenant.pk,
        cancel,
        cancel,
        lambda: broker_update_apply(account=told_desk.account, update=BrokerUpdate(order=told)),
        lambda: broker_update_apply(account=told_desk.account, update=BrokerUpdate(fill=report)),
        lambda: broker_update_apply(account=told_desk.account, update=BrokerUpdate(told, report)),
    )
    assert (only_order().status, only_order().filled_quantity) == ("cancelled", 4)
    assert (Fill.objects.count(), fresh(cell).shares, fresh(cell).anchor, reconcile()) == (1, 46, 104, [])


def test_a_double_click_places_one_order(told_desk: Desk) -> None:
    cell, key = open_cell(told_desk.portfolio), str(uuid.uuid4())
    terms = OrderTerms("SELL", Decimal(2))

    def place() -> int:
        return order_place(cell=fresh(cell), terms=terms, origin=Origin(reason="at once"), key=key).pk

    placed = together(told_desk.tenant.pk, *[place] * 3)
    assert (len(set(placed)), Order.objects.count(), fresh(cell).orders_today) == (1, 1, 1)
