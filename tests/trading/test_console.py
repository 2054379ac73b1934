"""Trading in the console: who sees, who acts, and that operations go through services."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from portfolios.models import LedgerEntry, Portfolio, User
from portfolios.services import member_add, user_create
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, make_actions, make_desk, make_replay, make_series, open_cell, tick
from trading.models import ActionApplication, Evaluation, ReplayRun
from volbal.common.tenancy import every_tenant, tenant_scope
from volbal.strategy import Split

TABLES = sorted(apps.get_app_config("trading").get_models(), key=lambda model: model.__name__)
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
        assert client.get(address(model, "add")).status_code in (SIGN_IN, 403), model


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
