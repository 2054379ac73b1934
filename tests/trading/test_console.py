"""Trading in the console: who sees, who acts, and that operations go through services."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from portfolios.models import Cell, Event, LedgerEntry, Portfolio, User
from portfolios.services import member_add, user_create
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, fresh, make_actions, make_desk, make_replay, make_series, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.models import ActionApplication, Evaluation, Fill, HeldFill, Order, RefusedReport, ReplayRun, StuckOrder
from trading.selectors.attention import order_attention
from trading.services.fills import fill_book
from trading.services.orders import orders_send
from volbal.common.tenancy import every_tenant, tenant_scope
from volbal.strategy import Split

TABLES = sorted(apps.get_app_config("trading").get_models(), key=lambda model: model.__name__)
ADDED = {"TradingLimit"}  # by those who act
ADDED_BY_PLATFORM = {"Backfill", "CorporateAction"}
PLATFORM_ONLY = {"FillCursor"}
SIGN_IN = 302  # the console sends away whom it does not know


def client_of(desk: Desk, role: str) -> Client:
    """Return the browser of a person with a role at the desk, or of the platform operator."""
    with tenant_scope(desk.tenant.pk):
        if role == "platform":
            person = User.objects.create_superuser("platform@example.com")
        else:
            person = user_create(email=f"{role}@people.example", origin=BY_TEST)
            member_add(tenant=desk.tenant, user=person, role=role, origin=BY_TEST)
    client = Client()
    client.force_login(person)
    return client


def address(model: Any, view: str) -> str:
    return reverse(f"admin:trading_{model._meta.model_name}_{view}")


@pytest.fixture
def run(desk: Desk) -> ReplayRun:
    return make_replay(desk.account, make_series([100, 104, 100]))


def asked(client: Client, model: str, name: str, row: Any) -> str:
    """Return the page on which an operation asks before it does anything."""
    page: str = client.get(f"{reverse(f'admin:{model}_operation_{name}')}?ids={row.pk}").content.decode()
    return page.replace("&#x27;", "'")


def operate(client: Client, model: str, name: str, row: Any, **typed: Any) -> int:
    """Send an operation's form for one row and return the status: 302 once it was performed."""
    found = client.post(f"{reverse(f'admin:{model}_operation_{name}')}?ids={row.pk}", typed)
    return found.status_code


@pytest.mark.parametrize("role", ["platform", "owner", "operator", "auditor", "trader", "broker"])
def test_who_reads_the_tables_and_that_nobody_adds_or_deletes(desk: Desk, role: str) -> None:
    client = client_of(desk, role)
    for model in TABLES:
        assert admin.site.is_registered(model)
        if role in ("trader", "broker"):
            expected = SIGN_IN
        else:
            expected = 403 if role != "platform" and model.__name__ in PLATFORM_ONLY else 200
        assert client.get(address(model, "changelist")).status_code == expected, model
        added = model.__name__ in ADDED and role in ("platform", "owner", "operator")
        added |= model.__name__ in ADDED_BY_PLATFORM and role == "platform"
        assert client.get(address(model, "add")).status_code in ((200,) if added else (SIGN_IN, 403)), model


def test_rows_of_another_tenant_are_not_there(desk: Desk, run: ReplayRun) -> None:
    stranger = client_of(make_desk("south"), "operator")
    assert operate(stranger, "trading_replayrun", "start", run) == 404
    run.refresh_from_db()
    assert run.status == ReplayRun.Status.PAUSED


def test_an_auditor_does_nothing(desk: Desk, run: ReplayRun) -> None:
    auditor = client_of(desk, "auditor")
    assert operate(auditor, "trading_replayrun", "step", run) == 403
    assert operate(auditor, "portfolios_portfolio", "tick", desk.portfolio) == 403
    assert not Evaluation.objects.exists()


def test_an_operator_steps_starts_pauses_and_speeds_a_replay(desk: Desk, run: ReplayRun) -> None:
    operator = client_of(desk, "operator")
    told = []
    for name, typed in (("step", {}), ("start", {}), ("pause", {}), ("speed", {"steps_per_second": "5"})):
        assert operate(operator, "trading_replayrun", name, run, **typed) == 302
        run.refresh_from_db()
        told.append((run.position, run.status, run.steps_per_second))
    assert told == [(1, "paused", 1), (1, "running", 1), (1, "paused", 1), (1, "paused", 5)]
    assert operate(operator, "trading_replayrun", "speed", run, steps_per_second="500") == 200


def test_an_operator_starts_a_replay_again(desk: Desk, run: ReplayRun) -> None:
    assert operate(client_of(desk, "operator"), "trading_replayrun", "again", run) == 302
    assert Portfolio.objects.get(pk=run.portfolio_id).is_archived
    assert ReplayRun.objects.get(started_from=run).status == ReplayRun.Status.RUNNING


def test_an_operator_ticks_a_portfolio(desk: Desk, cell: object) -> None:
    assert operate(client_of(desk, "operator"), "portfolios_portfolio", "tick", desk.portfolio) == 302
    assert Evaluation.objects.count() == 1


def test_a_new_portfolio_chooses_among_feeds_that_exist(desk: Desk) -> None:
    operator = client_of(desk, "operator")
    typed = {
        "account": desk.account.pk,
        "name": "New",
        "mode": "paper",
        "feed": "synthetic",
        "trading_hours": "regular",
        "tick_interval_seconds": "60",
    }
    add = reverse("admin:portfolios_portfolio_add")
    assert operator.post(add, typed | {"feed": "replay"}).status_code == 200
    assert operator.post(add, typed | {"mode": "replay"}).status_code == 200
    assert operator.post(add, typed).status_code == 302
    assert Portfolio.objects.get(name="New").feed == "synthetic"


def test_an_operator_books_cash_in_lieu(desk: Desk) -> None:
    open_cell(desk.portfolio)
    make_actions(Split(OPEN.date(), 1.5))
    tick(desk.portfolio, {"IBM": 66})
    application = ActionApplication.objects.get()
    operator = client_of(desk, "operator")
    typed = {"amount": "3.21", "reason": "statement of March"}
    assert operate(operator, "trading_actionapplication", "cash_in_lieu", application, **typed) == 302
    assert operate(operator, "trading_actionapplication", "cash_in_lieu", application, **typed) == 200
    with every_tenant():
        assert LedgerEntry.objects.get(kind="cash_in_lieu").cash == Decimal("3.21")
    typed = {"amount": "3.02", "reason": "statement of April"}
    assert operate(operator, "trading_actionapplication", "cash_in_lieu_correct", application, **typed) == 302
    assert operate(operator, "trading_actionapplication", "cash_in_lieu_correct", application, **typed) == 200
    with every_tenant():
        assert [entry.cash for entry in LedgerEntry.objects.filter(kind="cash_in_lieu").order_by("id")] == [
            Decimal("3.21"),
            Decimal("-3.21"),
            Decimal("3.02"),
        ]


@pytest.fixture
def sale(told_desk: Desk, told_cell: object) -> Order:
    """An order to sell at the broker that does what it is told."""
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    return Order.objects.get()


def test_an_operator_asks_about_an_unknown_order_and_learns_what_became_of_it(
    told_desk: Desk, broker: StandInBroker, told_cell: object
) -> None:
    """The answer to a submission was lost: the worklist shows the order with its age, and asking resolves it."""
    tick(told_desk.portfolio, {"IBM": 104})
    broker.silent_after_accepting = True
    orders_send(account_id=told_desk.account.pk)
    broker.silent_after_accepting = False
    operator, order = client_of(told_desk, "operator"), Order.objects.get()
    page = operator.get(address(StuckOrder, "changelist")).content.decode()
    assert "unknown. The line went dead" in page
    assert "it is never placed twice" in asked(operator, "trading_stuckorder", "ask", order)
    broker.silent = True
    assert operate(operator, "trading_stuckorder", "ask", order) == 200
    order.refresh_from_db()
    assert order.status == "unknown", "never guessed"
    broker.silent = False
    broker.fill(order.client_order_id, order.quantity, 104)
    assert operate(operator, "trading_stuckorder", "ask", order) == 302
    order.refresh_from_db()
    assert order.status == "filled"
    assert order.client_order_id not in operator.get(address(StuckOrder, "changelist")).content.decode()


def test_an_operator_cancels_an_order_with_a_reason(told_desk: Desk, broker: StandInBroker, sale: Order) -> None:
    operator = client_of(told_desk, "operator")
    assert operate(operator, "trading_order", "cancel", sale) == 200
    assert operate(client_of(told_desk, "auditor"), "trading_order", "cancel", sale, reason="mine") == 403
    assert operate(operator, "trading_order", "cancel", sale, reason="wrong size") == 302
    sale.refresh_from_db()
    assert (sale.status, sale.status_detail) == ("cancelled", "by hand: wrong size")
    assert Event.objects.get(kind="order.cancel_asked").reason == "wrong size"
    assert operate(operator, "trading_order", "cancel", sale, reason="again") == 200


def test_a_rejected_order_asks_for_attention_until_someone_takes_note(
    told_desk: Desk, broker: StandInBroker, told_cell: object
) -> None:
    broker.refuses, broker.refuses_code = "not shortable", "not_shortable"
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    told = [note.text for note in order_attention([told_desk.portfolio.pk])]
    assert told == ["IBM: order to sell 6.287107: rejected. Not shortable"]
    assert operate(client_of(told_desk, "operator"), "trading_order", "note", Order.objects.get()) == 302
    assert order_attention([told_desk.portfolio.pk]) == []


def test_a_broker_that_refuses_again_and_again_is_one_note_and_hides_no_other(
    told_desk: Desk, broker: StandInBroker, told_cell: object, sale: Order
) -> None:
    Order.objects.update(status="unknown", status_detail="the line went dead")
    sale.status, sale.status_detail, sale.evaluation = "rejected", "no such luck", None
    for number in range(9):
        sale.pk, sale.client_order_id = None, f"refused-{number}"
        sale.save(force_insert=True)
    unknown, refused = (note.text for note in order_attention([told_desk.portfolio.pk]))
    assert unknown.endswith("unknown. The line went dead")
    assert refused.endswith("rejected. No such luck 8 orders before it were rejected too.")


def test_an_operator_adopts_a_foreign_fill_and_a_second_click_changes_nothing(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    fill_book(account=told_desk.account, report=broker.fill("theirs", 4, 90, symbol="IBM", side="BUY"))
    operator, held = client_of(told_desk, "operator"), HeldFill.objects.get()
    assert "Waits for a person" in operator.get(address(HeldFill, "changelist")).content.decode()
    assert "its anchor stays where it is" in asked(operator, "trading_heldfill", "adopt", held)
    assert "its anchor moves to the fill's price" in asked(operator, "trading_heldfill", "re_anchor", held)
    typed = {"cell": told_cell.pk, "reason": "bought by phone"}
    for _ in range(2):
        assert operate(operator, "trading_heldfill", "adopt", held, **typed) == 302
    assert operate(operator, "trading_heldfill", "ignore", held, reason="changed my mind") == 200
    assert fresh(told_cell).shares == 54


def test_an_operator_tries_a_refused_report_again_or_dismisses_it(
    told_desk: Desk, broker: StandInBroker, sale: Order
) -> None:
    fill_book(account=told_desk.account, report=broker.fill(sale.client_order_id, -1, 104))
    operator, report = client_of(told_desk, "operator"), RefusedReport.objects.get()
    assert "-1 shares cannot be" in operator.get(address(RefusedReport, "changelist")).content.decode()
    assert operate(operator, "trading_refusedreport", "retry", report) == 200
    assert operate(operator, "trading_refusedreport", "dismiss", report, reason="taken back") == 302
    report.refresh_from_db()
    assert (report.status, report.repetitions) == ("dismissed", 2)


@pytest.mark.parametrize("group,shown", [("open", True), ("ended", False), ("stuck", False), ("", True)])
def test_orders_are_listed_by_how_they_stand(told_desk: Desk, sale: Order, group: str, shown: bool) -> None:
    page = client_of(told_desk, "auditor").get(address(Order, "changelist"), {"group": group}).content.decode()
    assert (sale.client_order_id in page) == shown


def test_an_operator_corrects_a_commission_with_a_reason(
    told_desk: Desk, broker: StandInBroker, sale: Order, told_cell: Cell
) -> None:
    fill_book(account=told_desk.account, report=broker.fill(sale.client_order_id, sale.quantity, 104))
    fill, cash = Fill.objects.get(), fresh(told_cell).cash
    operator, typed = client_of(told_desk, "operator"), {"commission": "1.07", "reason": "the broker's statement"}
    for _ in range(2):
        assert operate(operator, "trading_fill", "commission", fill, **typed) == 302
    assert fresh(told_cell).cash == cash - Decimal("1.00")
    assert Event.objects.get(kind="cell.commission_corrected").reason == "the broker's statement"
