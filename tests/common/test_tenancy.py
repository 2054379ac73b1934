"""A query without a tenant scope raises; one with a scope sees its tenants and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Count, Exists, OuterRef, Subquery

from portfolios.models import Cell, Event, LedgerEntry, Portfolio, Tenant
from tests.portfolios.builders import Firm, make_cell, make_firm
from volbal.common.tenancy import (
    ScopeError,
    every_tenant,
    require_tenant,
    tenant_scope,
    tenants_scope,
)

# Everything on a queryset that reaches the database.
EXECUTIONS: dict[str, Callable[[Any], object]] = {
    "list": list,
    "len": len,
    "bool": bool,
    "contains": lambda rows: 1 in rows,
    "index": lambda rows: rows[0],
    "slice": lambda rows: list(rows[:2]),
    "iterator": lambda rows: list(rows.iterator()),
    "get": lambda rows: rows.get(pk=1),
    "first": lambda rows: rows.first(),
    "last": lambda rows: rows.last(),
    "latest": lambda rows: rows.latest("pk"),
    "earliest": lambda rows: rows.earliest("pk"),
    "count": lambda rows: rows.count(),
    "exists": lambda rows: rows.exists(),
    "aggregate": lambda rows: rows.aggregate(Count("pk")),
    "values": lambda rows: list(rows.values("pk")),
    "values_list": lambda rows: list(rows.values_list("pk", flat=True)),
    "filter": lambda rows: list(rows.filter(pk=1).exclude(pk=2).order_by("pk").distinct()),
    "select_related": lambda rows: list(rows.select_related("tenant")),
    "annotate": lambda rows: list(rows.annotate(n=Count("pk"))),
    "in_bulk": lambda rows: rows.in_bulk([1]),
    "in_bulk_of_nothing": lambda rows: rows.in_bulk([]),
    "explain": lambda rows: rows.explain(),
    "union": lambda rows: list(rows.union(rows)),
    "select_for_update": lambda rows: list(rows.select_for_update()),
    "update": lambda rows: rows.update(name="x"),
    "delete": lambda rows: rows.delete(),
    "create": lambda rows: rows.create(name="x"),
    "get_or_create": lambda rows: rows.get_or_create(name="x"),
    "update_or_create": lambda rows: rows.update_or_create(name="x"),
    "bulk_create": lambda rows: rows.bulk_create([]),
    "bulk_update": lambda rows: rows.bulk_update([], ["name"]),
    "raw": lambda rows: list(rows.raw("SELECT 1 AS id")),
    "dates": lambda rows: list(rows.dates("created_at", "day")),
    "acount": lambda rows: asyncio.run(rows.acount()),
    "inside_filter": lambda rows: list(Tenant.objects.filter(pk__in=rows.values("tenant"))),
    "inside_exists": lambda rows: list(Tenant.objects.filter(Exists(rows.filter(tenant=OuterRef("pk"))))),
    "inside_subquery": lambda rows: list(Tenant.objects.annotate(x=Subquery(rows.values("pk")[:1]))),
}
MODELS = [Portfolio, Cell, LedgerEntry, Event]


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_without_a_scope_whatever_executes_raises(db: None, execution: str) -> None:
    with pytest.raises(ScopeError, match=r"portfolios\.Portfolio was queried without a tenant scope"):
        EXECUTIONS[execution](Portfolio.objects.all())


@pytest.mark.parametrize("model", MODELS)
def test_every_owned_model_raises(db: None, model: Any) -> None:
    with pytest.raises(ScopeError):
        model.objects.count()


def test_without_a_scope_a_query_may_be_built_but_not_run(db: None) -> None:
    rows = Portfolio.objects.filter(name="x").order_by("name")[:5]
    with pytest.raises(ScopeError):
        list(rows)


def test_rows_reached_through_another_raise_too(db: None) -> None:
    firm = make_firm()
    with pytest.raises(ScopeError):
        firm.account.portfolios.count()
    with pytest.raises(ScopeError):
        list(Tenant.objects.filter(pk__in=firm.portfolio.cells.values("tenant")))


@pytest.fixture
def two(db: None) -> tuple[Firm, Firm]:
    firms = make_firm("north"), make_firm("south")
    for firm in firms:
        with tenant_scope(firm.tenant.pk):
            make_cell(firm)
    return firms


def test_a_scope_shows_its_tenants_and_no_other(two: tuple[Firm, Firm]) -> None:
    north, south = two
    with tenant_scope(north.tenant.pk):
        assert {cell.tenant_id for cell in Cell.objects.all()} == {north.tenant.pk}
        assert not Cell.objects.filter(tenant=south.tenant).exists()
        assert Cell.objects.filter(tenant=south.tenant).update(name="taken") == 0
        assert LedgerEntry.objects.filter(tenant=south.tenant).count() == 0
        assert south.portfolio.cells.count() == 0
    with tenants_scope([north.tenant.pk, south.tenant.pk]):
        assert Cell.objects.count() == 2
    with tenants_scope([]):
        assert Cell.objects.count() == 0
    with every_tenant():
        assert Cell.objects.count() == 2


def test_scopes_nest_and_end(two: tuple[Firm, Firm]) -> None:
    north, south = two
    with every_tenant():
        with tenant_scope(north.tenant.pk):
            assert Cell.objects.count() == 1
            with tenant_scope(south.tenant.pk):
                assert {cell.tenant_id for cell in Cell.objects.all()} == {south.tenant.pk}
        assert Cell.objects.count() == 2
    with pytest.raises(ScopeError):
        Cell.objects.count()


def test_a_write_for_a_tenant_out_of_scope_raises() -> None:
    with pytest.raises(ScopeError, match="Tenant 1 is not in scope"):
        require_tenant(1)
    with tenant_scope(2), pytest.raises(ScopeError):
        require_tenant(1)
    with tenants_scope([1, 2]):
        require_tenant(1)
    with every_tenant():
        require_tenant(1)


def test_a_service_does_not_reach_into_another_tenant(two: tuple[Firm, Firm]) -> None:
    from portfolios import services
    from tests.portfolios.builders import BY_TEST

    north, south = two
    with tenant_scope(south.tenant.pk):
        theirs = Cell.objects.get()
    with tenant_scope(north.tenant.pk):
        with pytest.raises(Cell.DoesNotExist):
            services.cell_start(cell=theirs, origin=BY_TEST)
        with pytest.raises(ScopeError):
            services.account_create(tenant=south.tenant, name="Ours now", broker="paper", origin=BY_TEST)
