"""The console: who sees, who acts, and that everything goes through services."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portfolios import services
from portfolios.models import (
    AuditLink,
    BrokerAccount,
    Cell,
    Event,
    EventCursor,
    Instrument,
    LedgerEntry,
    Membership,
    ParameterVersion,
    Portfolio,
    Tenant,
    User,
)
from reporting.services.audit import audit_sequence
from tests.portfolios.builders import AS_OF, BY_TEST, Firm, make_cell, make_firm, make_member
from volbal.common.tenancy import every_tenant

ROLES = ("platform", "owner", "operator", "auditor", "trader", "broker", "nobody")
TABLES = (
    AuditLink, BrokerAccount, Cell, Event, EventCursor, Instrument, LedgerEntry, Membership, ParameterVersion,
    Portfolio, Tenant, User,
)  # fmt: skip
PLATFORM_ONLY = {EventCursor}
ADDED_BY_MEMBERS = {BrokerAccount, Portfolio, Cell, Membership}
ADDED_BY_PLATFORM = {Tenant, User, Instrument}


@dataclass(frozen=True, slots=True)
class World:
    """Two firms, and a person for each role in the first."""

    north: Firm
    south: Firm
    people: dict[str, User]
    cell: Cell
    theirs: Cell

    def client(self, role: str) -> Client:
        client = Client(raise_request_exception=True)
        client.force_login(self.people[role])
        return client


@pytest.fixture
def world(db: None) -> World:
    with every_tenant():
        north, south = make_firm("north"), make_firm("south")
        cell, theirs = make_cell(north), make_cell(south)
        people = {"owner": north.owner}
        people |= {role: make_member(north, role) for role in ("operator", "auditor", "trader", "broker")}
        people["nobody"] = services.user_create(email="nobody@example.com", origin=BY_TEST)
        people["platform"] = User.objects.create_superuser("platform@example.com")
        audit_sequence()
    return World(north, south, people, cell, theirs)


def _address(model: Any, view: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=arguments)


def _operation(model: Any, name: str, *rows: Any) -> str:
    return f"{_address(model, f'operation_{name}')}?ids={','.join(str(row.pk) for row in rows)}"


SIGN_IN = 302  # the console sends away whom it does not know


def _expected(model: Any, role: str, verb: str) -> int:
    if role in ("trader", "broker", "nobody"):
        return SIGN_IN
    if role == "platform":
        allowed = verb == "list" or model in ADDED_BY_MEMBERS | ADDED_BY_PLATFORM
    elif model in PLATFORM_ONLY:
        allowed = False
    else:
        allowed = verb == "list" or (role in ("owner", "operator") and model in ADDED_BY_MEMBERS)
    return 200 if allowed else 403


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
@pytest.mark.parametrize("role", ROLES)
def test_who_lists_and_who_adds(world: World, model: Any, role: str) -> None:
    client = world.client(role)
    found = {
        verb: client.get(_address(model, view)).status_code for verb, view in (("list", "changelist"), ("add", "add"))
    }
    assert found == {verb: _expected(model, role, verb) for verb in ("list", "add")}


def _rows_of(world: World, firm: Firm) -> dict[Any, Any]:
    with every_tenant():
        rows = {
            model: model._default_manager.filter(tenant=firm.tenant).first()
            for model in (AuditLink, BrokerAccount, Cell, Event, LedgerEntry, Membership, ParameterVersion, Portfolio)
        }
    return rows | {Tenant: firm.tenant, User: firm.owner}


@pytest.mark.parametrize("role", ROLES)
def test_who_opens_a_row_and_nobody_another_tenants(world: World, role: str) -> None:
    client = world.client(role)
    for firm, own in ((world.north, True), (world.south, False)):
        for model, row in _rows_of(world, firm).items():
            status = client.get(_address(model, "change", row.pk)).status_code
            # Django sends whoever opens what is not there to the console's first page, with 302 as well.
            seen = role not in ("trader", "broker", "nobody") and (own or role == "platform")
            expected = 200 if seen else SIGN_IN
            assert status == expected, (model, firm.tenant)


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
@pytest.mark.parametrize("role", ["platform", "owner"])
def test_nobody_edits_or_deletes_a_row_directly(world: World, model: Any, role: str) -> None:
    with every_tenant():
        row = model._default_manager.first()
        before = list(model._default_manager.values())
    client = world.client(role)
    for view, data in (("change", {"name": "edited", "cash": "1"}), ("delete", {"post": "yes"})):
        assert client.post(_address(model, view, row.pk), data).status_code in (302, 403)
    client.post(
        _address(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    )
    with every_tenant():
        after = list(model._default_manager.values())
    for values in (*before, *after):
        values.pop("last_login", None)
    assert after == before


OPERATIONS: tuple[tuple[Any, str, dict[str, Any]], ...] = (
    (Cell, "start", {}),
    (Cell, "pause", {"reason": "why"}),
    (Cell, "resume", {"reason": "why"}),
    (Cell, "halt", {"reason": "why"}),
    (Cell, "archive", {"reason": "why"}),
    (Cell, "deposit", {"reason": "why", "cash": "10", "shares": "0"}),
    (Cell, "withdraw", {"reason": "why", "cash": "10", "shares": "0"}),
    (Cell, "transfer", {"reason": "why", "amount": "10"}),
    (Cell, "adjust", {"reason": "why", "cash": "-10", "shares": "0"}),
    (Cell, "anchor", {"reason": "why", "anchor": "90"}),
    (BrokerAccount, "deposit", {"reason": "why", "amount": "10"}),
    (BrokerAccount, "withdraw", {"reason": "why", "amount": "10"}),
    (Portfolio, "halt", {"reason": "why"}),
    (Portfolio, "resume", {"reason": "why"}),
    (Portfolio, "archive", {"reason": "why"}),
    (LedgerEntry, "reverse", {"reason": "why"}),
    (Membership, "role", {"role": "auditor"}),
    (Membership, "remove", {}),
    (User, "password", {"password": "a long enough one 7"}),
)


def _subject(world: World, model: Any, name: str) -> Any:
    """Return a row on which the operation is possible."""
    with every_tenant():
        if model is Cell and name in ("pause", "resume"):
            services.cell_start(cell=world.cell, origin=BY_TEST)
            if name == "resume":
                services.cell_halt(cell=world.cell, origin=BY_TEST)
        if model is Portfolio and name == "resume":
            services.portfolio_halt(portfolio=world.north.portfolio, origin=BY_TEST)
        if model is LedgerEntry:
            return LedgerEntry.objects.get(tenant=world.north.tenant, kind="deposit")
        rows = {
            Cell: world.cell,
            BrokerAccount: world.north.account,
            Portfolio: world.north.portfolio,
            Membership: Membership.objects.get(user=world.people["trader"]),
            User: world.people["trader"],
        }
    return rows[model]


@pytest.mark.parametrize("model,name,data", OPERATIONS, ids=lambda part: getattr(part, "__name__", str(part)))
def test_who_acts(world: World, model: Any, name: str, data: dict[str, Any]) -> None:
    row = _subject(world, model, name)
    address = _operation(model, name, row)
    with every_tenant():
        events = Event.objects.count()
    refused = {"auditor": 403, "trader": SIGN_IN, "broker": SIGN_IN, "nobody": SIGN_IN}
    if model is User:
        refused |= {"owner": 403, "operator": 403}
    for role, status in refused.items():
        client = world.client(role)
        assert client.get(address).status_code == status, role
        assert client.post(address, data).status_code == status, role
    with every_tenant():
        assert Event.objects.count() == events
    actor = "platform" if model is User else "operator"
    client = world.client(actor)
    assert client.get(address).status_code == 200
    response = client.post(address, data)
    assert response.status_code == 302, response.context["form"].errors
    with every_tenant():
        written = Event.objects.filter(pk__gt=0).order_by("-id")[0]
        assert Event.objects.count() > events
    assert written.actor_id == world.people[actor].pk
    assert written.reason == data.get("reason", "")
    assert written.request_id != ""


@pytest.mark.parametrize("role", ["owner", "operator"])
def test_nobody_acts_on_another_tenants_row(world: World, role: str) -> None:
    client = world.client(role)
    for rows in ((world.theirs,), (world.cell, world.theirs)):
        assert client.post(_operation(Cell, "start", *rows)).status_code == 404
    assert client.get(f"{_address(Cell, 'operation_start')}?ids=x").status_code == 404
    with every_tenant():
        assert set(Cell.objects.values_list("status", flat=True)) == {"stopped"}


def test_an_owner_here_who_audits_there_acts_only_here(world: World) -> None:
    with every_tenant():
        services.member_add(tenant=world.south.tenant, user=world.north.owner, role="auditor", origin=BY_TEST)
    client = world.client("owner")
    assert client.get(_address(Cell, "change", world.theirs.pk)).status_code == 200
    assert client.post(_operation(Cell, "start", world.theirs)).status_code == 403
    assert client.post(_operation(Cell, "start", world.cell, world.theirs)).status_code == 403
    assert client.post(_operation(Cell, "start", world.cell)).status_code == 302


def test_only_owners_give_or_take_the_role_of_an_owner(world: World) -> None:
    with every_tenant():
        trader = Membership.objects.get(user=world.people["trader"])
        owner = Membership.objects.get(user=world.north.owner)
    operator = world.client("operator")
    assert operator.post(_operation(Membership, "role", trader), {"role": "owner"}).status_code == 403
    assert operator.post(_operation(Membership, "role", owner), {"role": "trader"}).status_code == 403
    assert operator.post(_operation(Membership, "remove", owner), {}).status_code == 403
    data = {"tenant": world.north.tenant.pk, "email": "new@example.com", "role": "owner"}
    assert operator.post(_address(Membership, "add"), data).status_code == 403
    assert not User.objects.filter(email="new@example.com").exists()
    assert world.client("owner").post(_operation(Membership, "role", trader), {"role": "owner"}).status_code == 302


def test_a_refusal_is_told_with_its_numbers_and_keeps_what_was_typed(world: World) -> None:
    data = {"reason": "why", "cash": "5000.01", "shares": "0"}
    response = world.client("operator").post(_operation(Cell, "withdraw", world.cell), data)
    page = response.content.decode()
    assert response.status_code == 200
    assert "holds 5,000.00 cash and 5,000.01 was asked for: 0.01 too much." in page
    assert 'value="5000.01"' in page


def test_of_several_rows_those_that_can_be_are_done_and_the_others_told(world: World) -> None:
    with every_tenant():
        unset = make_cell(world.north, "AAPL", anchor=None)
    response = world.client("operator").post(_operation(Cell, "start", world.cell, unset), follow=True)
    page = response.content.decode()
    assert "Start: done for 1 of 2 cells." in page
    assert "AAPL: AAPL has no anchor" in page


def test_the_selected_rows_lead_to_the_page_that_asks(world: World) -> None:
    response = world.client("operator").post(
        _address(Cell, "changelist"), {"action": "pause", "_selected_action": [world.cell.pk]}, follow=True
    )
    page = response.content.decode()
    assert "IBM in Core: not started, 5,000.00 cash, 50 shares" in page
    assert "do not trade until they are started again" in page


PAPER = {"name": "New", "mode": "paper", "feed": "synthetic", "trading_hours": "regular", "tick_interval_seconds": "60"}
FREE = {"name": "New", "broker": "paper", "currency": "USD", "commission_rate": "0", "commission_min": "0"}
CREATIONS: tuple[tuple[Any, dict[str, Any], str], ...] = (
    (BrokerAccount, FREE, "operator"),
    (Portfolio, PAPER, "operator"),
    (Cell, {"name": "New", "price": "100", "cash": "10", "shares": "1", "preset": "patient"}, "operator"),
    (Membership, {"email": "new@example.com", "role": "trader"}, "operator"),
    (Instrument, {"symbol": "NEW", "name": "New", "exchange": "XNYS", "currency": "USD"}, "platform"),
    (User, {"email": "new@example.com", "name": "New"}, "platform"),
    (Tenant, {"name": "New", "slug": "new"}, "platform"),
)


@pytest.mark.parametrize("model,data,role", CREATIONS, ids=lambda part: getattr(part, "__name__", None))
def test_new_rows_are_made_by_services(world: World, model: Any, data: dict[str, Any], role: str) -> None:
    links = {
        BrokerAccount: {"tenant": world.north.tenant.pk},
        Portfolio: {"account": world.north.account.pk},
        Cell: {"portfolio": world.north.portfolio.pk, "instrument": world.cell.instrument_id},
        Membership: {"tenant": world.north.tenant.pk},
        Tenant: {"owner": world.people["nobody"].pk},
    }
    with every_tenant():
        rows, events = model._default_manager.count(), Event.objects.count()
    response = world.client(role).post(_address(model, "add"), data | links.get(model, {}))
    assert response.status_code == 302, response.context["form"].errors
    with every_tenant():
        assert model._default_manager.count() == rows + 1
        assert Event.objects.count() > events


@pytest.mark.parametrize(
    "status,offered",
    [
        ("stopped", {"start", "halt", "archive"}),
        ("active", {"pause", "halt"}),
        ("paused", {"start", "resume", "halt", "archive"}),
        ("halted", {"resume", "archive"}),
        ("archived", set()),
    ],
)
def test_a_cells_page_offers_only_what_its_status_allows(world: World, status: str, offered: set[str]) -> None:
    with every_tenant():
        Cell.objects.filter(pk=world.cell.pk).update(status=status)
    page = world.client("operator").get(_address(Cell, "change", world.cell.pk)).content.decode()
    verbs = {"start", "pause", "resume", "halt", "archive"}
    assert {verb for verb in verbs if f"/operation/{verb}/" in page} == offered
    assert ("/operation/deposit/" in page) == (status != "archived")
    assert "/operation/" not in world.client("auditor").get(_address(Cell, "change", world.cell.pk)).content.decode()


def test_choices_end_at_the_tenants_one_acts_in(world: World) -> None:
    response = world.client("operator").post(_address(Portfolio, "add"), PAPER | {"account": world.south.account.pk})
    assert response.status_code == 200
    assert "account" in response.context["form"].errors
    assert b"South" not in world.client("operator").get(_address(BrokerAccount, "add")).content


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_the_number_of_queries_does_not_grow_with_the_rows(world: World, model: Any) -> None:
    client = world.client("platform")

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(_address(model, "changelist")).status_code == 200
        return len(captured)

    before = queries()
    with every_tenant():
        for number in range(6):
            firm = make_firm(f"firm-{number}")
            make_cell(firm, f"SYM{number}", cash=Decimal(number))
        for number in range(3):
            EventCursor.objects.create(reader=f"reader {number}")
        audit_sequence()
    assert queries() == before


def test_every_model_of_what_is_owned_has_its_table() -> None:
    registered = {model for model in admin.site._registry if model._meta.app_label == "portfolios"}
    assert registered == set(TABLES)


def test_the_console_has_its_own_policy_and_the_rest_a_strict_one(world: World) -> None:
    console = world.client("platform").get("/admin/")["Content-Security-Policy"]
    rest = world.client("platform").get("/nowhere/")["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-inline' 'unsafe-eval'" in console
    assert "frame-ancestors 'none'" in console
    assert "unsafe" not in rest


@pytest.mark.parametrize("address", ["/admin/", "/admin/login/", "/admin/portfolios/cell/"])
def test_the_console_asks_no_other_host_for_anything(world: World, address: str) -> None:
    client = Client() if "login" in address else world.client("platform")
    page = client.get(address).content.decode()
    for mark in ('src="http', 'href="http', "src='http", "url(http", 'src="//', 'href="//'):
        assert mark not in page


def test_the_first_page_names_every_table_a_person_may_open_once(world: World) -> None:
    page = world.client("operator").get(reverse("admin:index")).content.decode()
    main = page[page.index('class="console-groups"') :]
    for model in TABLES:
        assert main.count(f'href="{_address(model, "changelist")}"') == (model not in PLATFORM_ONLY)
    assert "Every cent and every share with its cause" in main


def test_lists_show_grouped_figures_and_moments_that_sort(world: World) -> None:
    client = world.client("operator")
    cells = client.get(_address(Cell, "changelist") + "?o=6").content.decode()
    assert "5,000.00" in cells
    assert "2024-03-01 20:59:59 UTC" in client.get(_address(LedgerEntry, "changelist")).content.decode()


def test_an_operation_on_one_row_ends_on_it_and_says_how_it_stands(world: World) -> None:
    address = _operation(Cell, "deposit", world.cell)
    response = world.client("operator").post(address, {"cash": "100", "shares": "0", "reason": "more"}, follow=True)
    assert response.redirect_chain[-1][0] == _address(Cell, "change", world.cell.pk)
    assert "Deposit: done. IBM in Core: not started, 5,100.00 cash, 50 shares." in response.content.decode()


def test_an_account_is_opened_at_a_broker_there_is(world: World) -> None:
    values = {
        "tenant": world.north.tenant.pk, "name": "Third", "broker": "nonsense", "currency": "USD",
        "commission_rate": "0", "commission_min": "0",
    }  # fmt: skip
    client = world.client("owner")
    assert "nonsense is not one of the available choices" in (
        client.post(_address(BrokerAccount, "add"), values).content.decode()
    )
    assert client.post(_address(BrokerAccount, "add"), values | {"broker": "paper"}).status_code == 302


def test_an_entry_already_reversed_is_not_offered_to_be(world: World) -> None:
    with every_tenant():
        services.cell_deposit(cell=world.cell, cash=Decimal(5), as_of=AS_OF, origin=BY_TEST)
        entry = LedgerEntry.objects.get(cell=world.cell, kind="deposit")
        address = _address(LedgerEntry, "change", entry.pk)
        client = world.client("operator")
        assert "operation/reverse" in client.get(address).content.decode()
        services.entry_reverse(entry=entry, as_of=AS_OF, origin=BY_TEST)
    assert "operation/reverse" not in client.get(address).content.decode()
