"""What must not meet, made to meet: one holds a row while another waits for it, on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from portfolios.models import LedgerEntry
from portfolios.selectors import reconcile
from portfolios.services import (
    cell_archive,
    cell_halt,
    cell_pause,
    cell_resume,
    cell_withdraw,
    parameters_change,
)
from portfolios.services.changes import lock
from portfolios.services.origin import Origin
from portfolios.standings import trading_states
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, fresh, make_actions, make_desk, only_order, open_cell, tick
from tests.trading.standin import StandInBroker
from tests.trading.threads import WAIT_SECONDS, together, wait_until_held_up
from trading.models import ActionApplication, Evaluation, Order, OrderPlan
from trading.services.corporate_actions import cells_settle
from trading.services.fills import fill_book
from trading.services.order_placing import OrderTerms, order_place
from trading.services.order_plans import plan_cancel
from trading.services.orders import orders_send
from trading.services.reconciliation import account_reconcile
from volbal.common.errors import Refused
from volbal.common.tenancy import tenant_scope
from volbal.strategy import Dividend, Split

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


BY_REASON = Origin(reason="a drill")


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


def test_a_tick_that_waits_for_new_parameters_decides_by_them(told_desk: Desk) -> None:
    cell, held = open_cell(told_desk.portfolio), threading.Event()

    def change() -> None:
        with transaction.atomic():
            parameters_change(cell=fresh(cell), values={"trigger_up": 0.05}, origin=BY_TEST)
            held.set()
            wait_until_held_up()

    def look() -> None:
        assert held.wait(WAIT_SECONDS)
        tick(told_desk.portfolio, {"IBM": 104})

    together(told_desk.tenant.pk, change, look)
    seen = Evaluation.objects.get()
    assert (seen.action, seen.trigger_up, seen.parameters_id) == ("HOLD", 0.05, fresh(cell).parameters_id)
    assert not Order.objects.exists()


def test_an_order_in_slices_is_cancelled_while_one_of_them_fills(told_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(told_desk.portfolio, parameters={"slice_notional": 300.0, "slice_interval_seconds": 60})
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    report = broker.fill(only_order().client_order_id, only_order().quantity, 104)
    held = threading.Event()

    def fill() -> None:
        with transaction.atomic():
            # As everything does first that books on a cell.
            lock(cell)
            held.set()
            wait_until_held_up()
            fill_book(account=told_desk.account, report=report)

    def cancel() -> None:
        assert held.wait(WAIT_SECONDS)
        plan_cancel(plan=OrderPlan.objects.get(), as_of=OPEN, origin=Origin(reason="no longer wanted"))

    together(told_desk.tenant.pk, fill, cancel)
    plan = OrderPlan.objects.get()
    assert (plan.status, plan.filled_quantity, plan.ended_because) == (
        "ended", only_order().quantity, "cancelled: no longer wanted",
    )  # fmt: skip


def test_a_person_and_the_rule_never_sell_the_same_shares(told_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(told_desk.portfolio, cash=Decimal(0))

    def place() -> None:
        with suppress(Refused):
            order_place(cell=fresh(cell), terms=OrderTerms("SELL", Decimal(48)), origin=Origin(reason="at once"))

    together(told_desk.tenant.pk, place, lambda: tick(told_desk.portfolio, {"IBM": 104}), place)
    together(told_desk.tenant.pk, *[lambda: orders_send(account_id=told_desk.account.pk)] * 2)
    assert sum(request.quantity for request in broker.requests) <= 50
    assert len({request.client_order_id for request in broker.requests}) == len(broker.requests) >= 1


def test_money_taken_out_while_buys_go_out_leaves_no_cell_trading_below_zero(far_desk: Desk) -> None:
    cells = [open_cell(far_desk.portfolio, f"S{number}") for number in range(6)]
    tick(far_desk.portfolio, {f"S{number}": 96 for number in range(6)})

    def withdraw() -> None:
        for cell in cells:
            with suppress(Refused):
                cell_withdraw(cell=fresh(cell), cash=Decimal(4_900), as_of=OPEN, origin=BY_TEST)

    send = partial(orders_send, account_id=far_desk.account.pk)
    together(far_desk.tenant.pk, send, withdraw, send)
    send()
    assert not Order.objects.exclude(status__in=["filled", "cancelled"]).exists()
    for cell in cells:
        # What its broker had filled by then is a fact: such a cell stands still.
        assert fresh(cell).cash >= 0 or trading_states([fresh(cell)])[cell.pk].is_halted
    assert reconcile() == []


def test_cells_put_away_while_their_orders_go_out_leave_nothing_at_work(told_desk: Desk, broker: StandInBroker) -> None:
    cells = [open_cell(told_desk.portfolio, f"S{number}") for number in range(8)]
    tick(told_desk.portfolio, {f"S{number}": 104 for number in range(8)})

    def put_away() -> None:
        for cell in reversed(cells):
            cell_pause(cell=fresh(cell), origin=BY_TEST)
            cell_archive(cell=fresh(cell), origin=BY_TEST)

    send = partial(orders_send, account_id=told_desk.account.pk)
    together(told_desk.tenant.pk, send, put_away)
    send()
    assert set(Order.objects.values_list("status", flat=True)) == {"cancelled"}
    assert [one for one in broker.book.values() if one.is_open] == []


def test_a_comparison_while_fills_are_booked_finds_no_difference(far_desk: Desk) -> None:
    symbols = [f"S{number}" for number in range(8)]
    for symbol in symbols:
        open_cell(far_desk.portfolio, symbol)
    tick(far_desk.portfolio, dict.fromkeys(symbols, 104))

    def compare() -> set[str]:
        return {account_reconcile(account_id=far_desk.account.pk).status for _ in range(6)}

    send = partial(orders_send, account_id=far_desk.account.pk)
    found = together(far_desk.tenant.pk, send, compare, send, compare)
    assert "differs" not in found[1] | found[3]
    send()
    assert account_reconcile(account_id=far_desk.account.pk).status == "agrees"
    assert Order.objects.filter(status="filled").count() == 8
    assert reconcile() == []


def test_actions_that_come_while_cells_are_looked_at_and_filled_are_taken_once(far_desk: Desk) -> None:
    cell = open_cell(far_desk.portfolio)
    day = OPEN.date()

    def announce() -> None:
        for action in (Dividend(day, 1.0, day), Split(day, 2.0), Dividend(day - dt.timedelta(days=6), 1.0, day)):
            make_actions(action)
            cells_settle(instrument=cell.instrument, origin=BY_TEST)

    def looks() -> None:
        for minute in range(8):
            tick(far_desk.portfolio, {"IBM": 100}, OPEN + dt.timedelta(minutes=minute))
            orders_send(account_id=far_desk.account.pk)

    together(far_desk.tenant.pk, announce, looks, announce)
    tick(far_desk.portfolio, {"IBM": 100}, OPEN + dt.timedelta(hours=1))
    taken = list(ActionApplication.objects.values_list("action__kind", flat=True))
    assert sorted(taken) == ["dividend", "split"]
    assert LedgerEntry.objects.filter(cell=cell, kind="split", reverses=None).count() == 1
    assert reconcile() == []


def test_a_cell_resumed_while_its_orders_are_cancelled_trades_on(told_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(told_desk.portfolio)
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    cell_halt(cell=cell, origin=BY_REASON)
    together(
        told_desk.tenant.pk,
        lambda: orders_send(account_id=told_desk.account.pk),
        lambda: cell_resume(cell=fresh(cell), origin=by_owner(told_desk)),
        lambda: orders_send(account_id=told_desk.account.pk),
    )
    orders_send(account_id=told_desk.account.pk)
    first = Order.objects.get()
    assert first.status in ("accepted", "cancelled")
    assert broker.book[first.client_order_id].is_open == (first.status == "accepted")
    tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(minutes=1))
    assert Order.objects.count() == (1 if first.status == "accepted" else 2)
