"""The console: who sees what, in constant queries and from this host alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portfolios.models import (
    Cell,
    EventCursor,
    Instrument,
    LedgerEntry,
    Tenant,
    User,
)
from reporting.services.audit import audit_sequence
from tests.portfolios.builders import Firm, make_cell, make_firm
from tests.portfolios.console import (
    ADDED_BY_MEMBERS,
    ADDED_BY_PLATFORM,
    PLATFORM_ONLY,
    ROLES,
    SIGN_IN,
    TABLES,
    World,
    address_of,
)
from volbal.common.tenancy import every_tenant


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
        verb: client.get(address_of(model, view)).status_code for verb, view in (("list", "changelist"), ("add", "add"))
    }
    assert found == {verb: _expected(model, role, verb) for verb in ("list", "add")}


def _rows_of(world: World, firm: Firm) -> dict[Any, Any]:
    with every_tenant():
        rows = {
            model: model._default_manager.filter(tenant=firm.tenant).first()
            for model in set(TABLES) - {EventCursor, Instrument, Tenant, User}
        }
    return rows | {Tenant: firm.tenant, User: firm.owner}


@pytest.mark.parametrize("role", ROLES)
def test_who_opens_a_row_and_nobody_another_tenants(world: World, role: str) -> None:
    client = world.client(role)
    for firm, own in ((world.north, True), (world.south, False)):
        for model, row in _rows_of(world, firm).items():
            status = client.get(address_of(model, "change", row.pk)).status_code
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
        assert client.post(address_of(model, view, row.pk), data).status_code in (302, 403)
    client.post(
        address_of(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    )
    with every_tenant():
        after = list(model._default_manager.values())
    for values in (*before, *after):
        values.pop("last_login", None)
    assert after == before


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_the_number_of_queries_does_not_grow_with_the_rows(world: World, model: Any) -> None:
    client = world.client("platform")

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(address_of(model, "changelist")).status_code == 200
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
        assert main.count(f'href="{address_of(model, "changelist")}"') == (model not in PLATFORM_ONLY)
    assert "Every cent and every share with its cause" in main


def test_lists_show_grouped_figures_and_moments_that_sort(world: World) -> None:
    client = world.client("operator")
    cells = client.get(address_of(Cell, "changelist") + "?o=6").content.decode()
    assert "5,000.00" in cells
    assert "2024-03-01 20:59:59 UTC" in client.get(address_of(LedgerEntry, "changelist")).content.decode()
