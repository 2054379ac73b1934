"""The demonstration: loaded once, for everyone to sign in to, and nowhere that matters."""

from __future__ import annotations

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from portfolios.models import Cell, Membership, Portfolio, Tenant, User
from trading.models import BarSeries, Quote, ReplayRun
from trading.services.demonstration import SLUG, demonstration_load, is_loaded, sign_ins, synthetic_load
from trading.services.replay_runs import replay_run_steps
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant, tenant_scope

pytestmark = pytest.mark.django_db


def test_it_loads_once() -> None:
    with every_tenant():
        assert len(demonstration_load()) == 2
        counts = (Tenant.objects.count(), User.objects.count(), Portfolio.objects.count(), BarSeries.objects.count())
        assert counts == (1, 6, 2, 4)
        assert is_loaded()
        assert demonstration_load() == []
        assert Portfolio.objects.count() == 2
        assert {run.status for run in ReplayRun.objects.all()} == {"running"}


@pytest.mark.parametrize("environment", ["staging", "production", "base"])
def test_it_is_refused_where_its_passwords_would_matter(settings: Any, environment: str) -> None:
    settings.ENVIRONMENT = environment
    with pytest.raises(Refused, match=f"it is not loaded in {environment}"):
        demonstration_load()
    assert not Tenant.objects.exists()


def test_everyone_named_can_sign_in(client: Any) -> None:
    demonstration_load()
    for person in sign_ins():
        assert client.login(username=person.email, password=person.password), person
    roles = dict(Membership.objects.values_list("user__email", "role"))
    assert roles == {f"{role}@demo.example": role for role in ("owner", "operator", "trader", "auditor", "broker")}
    assert list(User.objects.filter(is_superuser=True).values_list("email", flat=True)) == ["platform@demo.example"]


def test_google_and_microsoft_start_on_the_day_google_was_listed() -> None:
    runs = {run.portfolio.name: run for run in demonstration_load()}
    run = runs["Technology"]
    with tenant_scope(run.tenant_id):
        replay_run_steps(run=run, steps=2)
        cells = Cell.objects.filter(portfolio=run.portfolio).select_related("instrument")
        opened = {cell.instrument.symbol: (cell.opened_at.date(), cell.opening_value) for cell in cells}
        listed = dt.date(2004, 8, 19)
        assert opened == {"GOOG": (listed, 80_000), "MSFT": (listed, 60_000)}
        assert {quote.is_synthetic for quote in Quote.objects.all()} == {False}


def test_the_command_prints_who_can_sign_in_and_passes_some_sessions() -> None:
    out = StringIO()
    for _ in range(2):
        call_command("demo", steps=3, stdout=out)
    assert out.getvalue().count("trader@demo.example") == 2
    with tenant_scope(Tenant.objects.get(slug=SLUG).pk):
        assert list(ReplayRun.objects.values_list("position", flat=True)) == [3, 3]


def test_invented_prices_are_labelled(settings: Any) -> None:
    settings.SEED_SYNTHETIC_PRICES = True
    call_command("demo", steps=1, stdout=StringIO())
    tenant = Tenant.objects.get(slug=SLUG)
    with tenant_scope(tenant.pk):
        assert list(Portfolio.objects.filter(feed="synthetic").values_list("mode", flat=True)) == ["paper"]
    call_command("demo", steps=1, stdout=StringIO())
    with tenant_scope(tenant.pk):
        assert Portfolio.objects.filter(feed="synthetic").count() == 1
        with pytest.raises(Refused):
            synthetic_load(tenant=tenant)
