"""The console: who acts, and that everything goes through services."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from portfolios import services
from portfolios.models import (
    BrokerAccount,
    Cell,
    Event,
    Instrument,
    LedgerEntry,
    Membership,
    Portfolio,
    Tenant,
    TradingRestriction,
    User,
)
from portfolios.standings import place_of
from tests.portfolios.builders import AS_OF, BY_TEST, make_cell
from tests.portfolios.console import (
    SIGN_IN,
    World,
    address_of,
    operation_of,
)
from volbal.common.tenancy import every_tenant

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
    (Cell, "reduce", {"reason": "why"}),
    (Portfolio, "halt", {"reason": "why"}),
    (Portfolio, "reduce", {"reason": "why"}),
    *((model, name, {"reason": "why"}) for model in (BrokerAccount, Tenant) for name in ("halt", "reduce", "resume")),
    (TradingRestriction, "lift", {"reason": "why"}),
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
        if model in (BrokerAccount, Portfolio, Tenant) and name == "resume":
            held = {BrokerAccount: world.north.account, Portfolio: world.north.portfolio, Tenant: world.north.tenant}
            services.restriction_place(on=place_of(held[model]), state="halted", origin=BY_TEST)
        if model is TradingRestriction:
            return services.restriction_place(on=place_of(world.cell), state="halted", origin=BY_TEST)
        if model is LedgerEntry:
            return LedgerEntry.objects.get(tenant=world.north.tenant, kind="deposit")
        rows = {
            Cell: world.cell,
            BrokerAccount: world.north.account,
            Portfolio: world.north.portfolio,
            Tenant: world.north.tenant,
            Membership: Membership.objects.get(user=world.people["trader"]),
            User: world.people["trader"],
        }
    return rows[model]


@pytest.mark.parametrize("model,name,data", OPERATIONS, ids=lambda part: getattr(part, "__name__", str(part)))
def test_who_acts(world: World, model: Any, name: str, data: dict[str, Any]) -> None:
    row = _subject(world, model, name)
    address = operation_of(model, name, row)
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
        assert client.post(operation_of(Cell, "start", *rows)).status_code == 404
    assert client.get(f"{address_of(Cell, 'operation_start')}?ids=x").status_code == 404
    with every_tenant():
        assert set(Cell.objects.values_list("status", flat=True)) == {"stopped"}


def test_an_owner_here_who_audits_there_acts_only_here(world: World) -> None:
    with every_tenant():
        services.member_add(tenant=world.south.tenant, user=world.north.owner, role="auditor", origin=BY_TEST)
    client = world.client("owner")
    assert client.get(address_of(Cell, "change", world.theirs.pk)).status_code == 200
    assert client.post(operation_of(Cell, "start", world.theirs)).status_code == 403
    assert client.post(operation_of(Cell, "start", world.cell, world.theirs)).status_code == 403
    assert client.post(operation_of(Cell, "start", world.cell)).status_code == 302


def test_only_owners_give_or_take_the_role_of_an_owner(world: World) -> None:
    with every_tenant():
        trader = Membership.objects.get(user=world.people["trader"])
        owner = Membership.objects.get(user=world.north.owner)
    operator = world.client("operator")
    assert operator.post(operation_of(Membership, "role", trader), {"role": "owner"}).status_code == 403
    assert operator.post(operation_of(Membership, "role", owner), {"role": "trader"}).status_code == 403
    assert operator.post(operation_of(Membership, "remove", owner), {}).status_code == 403
    data = {"tenant": world.north.tenant.pk, "email": "new@example.com", "role": "owner"}
    assert operator.post(address_of(Membership, "add"), data).status_code == 403
    assert not User.objects.filter(email="new@example.com").exists()
    assert world.client("owner").post(operation_of(Membership, "role", trader), {"role": "owner"}).status_code == 302


def test_a_refusal_is_told_with_its_numbers_and_keeps_what_was_typed(world: World) -> None:
    data = {"reason": "why", "cash": "5000.01", "shares": "0"}
    response = world.client("operator").post(operation_of(Cell, "withdraw", world.cell), data)
    page = response.content.decode()
    assert response.status_code == 200
    assert "holds 5,000.00 cash and 5,000.01 was asked for: 0.01 too much." in page
    assert 'value="5000.01"' in page


def test_of_several_rows_those_that_can_be_are_done_and_the_others_told(world: World) -> None:
    with every_tenant():
        unset = make_cell(world.north, "AAPL", anchor=None)
    response = world.client("operator").post(operation_of(Cell, "start", world.cell, unset), follow=True)
    page = response.content.decode()
    assert "Start: done for 1 of 2 cells." in page
    assert "AAPL: AAPL has no anchor" in page


def test_the_selected_rows_lead_to_the_page_that_asks(world: World) -> None:
    response = world.client("operator").post(
        address_of(Cell, "changelist"), {"action": "pause", "_selected_action": [world.cell.pk]}, follow=True
    )
    page = response.content.decode()
    assert "IBM in Core: not started, 5,000.00 cash, 50 shares" in page
    assert "do not trade until they are started again" in page


PAPER = {"name": "New", "mode": "paper", "feed": "synthetic", "trading_hours": "regular", "tick_interval_seconds": "60"}
FREE = {"name": "New", "broker": "paper", "currency": "USD"}
CREATIONS: tuple[tuple[Any, dict[str, Any], str], ...] = (
    (BrokerAccount, FREE, "operator"),
    (Portfolio, PAPER, "operator"),
    (
        Cell,
        {"name": "New", "price": "100", "cash": "10", "shares": "1", "preset": "patient", "execution": "resting"},
        "operator",
    ),
    (Membership, {"email": "new@example.com", "role": "trader"}, "operator"),
    (Instrument, {"symbol": "NEW", "name": "New", "exchange": "XNYS", "currency": "USD"}, "platform"),
    (User, {"email": "new@example.com", "name": "New"}, "platform"),
    (Tenant, {"name": "New", "slug": "new"}, "platform"),
    (TradingRestriction, {"level": "tenant", "state": "halted", "reason": "a drill"}, "operator"),
    (TradingRestriction, {"level": "everywhere", "state": "reducing", "reason": "a drill"}, "platform"),
)


@pytest.mark.parametrize("model,data,role", CREATIONS, ids=lambda part: getattr(part, "__name__", None))
def test_new_rows_are_made_by_services(world: World, model: Any, data: dict[str, Any], role: str) -> None:
    links = {
        BrokerAccount: {"tenant": world.north.tenant.pk},
        Portfolio: {"account": world.north.account.pk},
        Cell: {"portfolio": world.north.portfolio.pk, "instrument": world.cell.instrument_id},
        Membership: {"tenant": world.north.tenant.pk},
        Tenant: {"owner": world.people["nobody"].pk},
        TradingRestriction: {"tenant": world.north.tenant.pk},
    }
    with every_tenant():
        rows, events = model._default_manager.count(), Event.objects.count()
    response = world.client(role).post(address_of(model, "add"), data | links.get(model, {}))
    assert response.status_code == 302, response.context["form"].errors
    with every_tenant():
        assert model._default_manager.count() == rows + 1
        assert Event.objects.count() > events


@pytest.mark.parametrize(
    "status,offered",
    [
        ("stopped", {"start", "halt", "reduce", "archive"}),
        ("active", {"pause", "halt", "reduce"}),
        ("paused", {"start", "resume", "halt", "reduce", "archive"}),
        ("archived", set()),
    ],
)
def test_a_cells_page_offers_only_what_its_status_allows(world: World, status: str, offered: set[str]) -> None:
    with every_tenant():
        Cell.objects.filter(pk=world.cell.pk).update(status=status)
    page = world.client("operator").get(address_of(Cell, "change", world.cell.pk)).content.decode()
    verbs = {"start", "pause", "resume", "halt", "reduce", "archive"}
    assert {verb for verb in verbs if f"/operation/{verb}/" in page} == offered
    assert ("/operation/deposit/" in page) == (status != "archived")
    assert "/operation/" not in world.client("auditor").get(address_of(Cell, "change", world.cell.pk)).content.decode()


def test_choices_end_at_the_tenants_one_acts_in(world: World) -> None:
    response = world.client("operator").post(address_of(Portfolio, "add"), PAPER | {"account": world.south.account.pk})
    assert response.status_code == 200
    assert "account" in response.context["form"].errors
    assert b"South" not in world.client("operator").get(address_of(BrokerAccount, "add")).content


def test_an_operation_on_one_row_ends_on_it_and_says_how_it_stands(world: World) -> None:
    address = operation_of(Cell, "deposit", world.cell)
    response = world.client("operator").post(address, {"cash": "100", "shares": "0", "reason": "more"}, follow=True)
    assert response.redirect_chain[-1][0] == address_of(Cell, "change", world.cell.pk)
    assert "Deposit: done. IBM in Core: not started, 5,100.00 cash, 50 shares." in response.content.decode()


def test_an_account_is_opened_at_a_broker_there_is(world: World) -> None:
    values = {
        "tenant": world.north.tenant.pk, "name": "Third", "broker": "nonsense", "currency": "USD",
    }  # fmt: skip
    client = world.client("owner")
    assert "nonsense is not one of the available choices" in (
        client.post(address_of(BrokerAccount, "add"), values).content.decode()
    )
    assert client.post(address_of(BrokerAccount, "add"), values | {"broker": "paper"}).status_code == 302


def test_an_entry_already_reversed_is_not_offered_to_be(world: World) -> None:
    with every_tenant():
        services.cell_deposit(cell=world.cell, cash=Decimal(5), as_of=AS_OF, origin=BY_TEST)
        entry = LedgerEntry.objects.get(cell=world.cell, kind="deposit")
        address = address_of(LedgerEntry, "change", entry.pk)
        client = world.client("operator")
        assert "operation/reverse" in client.get(address).content.decode()
        services.entry_reverse(entry=entry, as_of=AS_OF, origin=BY_TEST)
    assert "operation/reverse" not in client.get(address).content.decode()
