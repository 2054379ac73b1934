"""What must not meet, made to meet: one holds a row while another waits for it, on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import transaction

from portfolios.services import parameters_change
from portfolios.services.changes import lock
from portfolios.services.origin import Origin
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, fresh, make_desk, only_order, open_cell, tick
from tests.trading.standin import StandInBroker
from tests.trading.threads import WAIT_SECONDS, together, wait_until_held_up
from trading.models import Evaluation, Order, OrderPlan
from trading.services.fills import fill_book
from trading.services.order_plans import plan_cancel
from trading.services.orders import orders_send
from volbal.common.tenancy import tenant_scope

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


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
