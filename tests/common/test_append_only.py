"""The database itself refuses to change or remove what is append-only."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import F, Model

from portfolios.models import AuditLink, Cell, Event, LedgerEntry, ParameterVersion
from reporting.services.audit import audit_sequence
from tests.portfolios.builders import make_cell, make_firm
from volbal.common import append_only
from volbal.common.tenancy import every_tenant, tenant_scope

GUARDED = [LedgerEntry, Event, ParameterVersion, AuditLink]


@pytest.fixture
def books(db: None) -> Cell:
    firm = make_firm()
    with tenant_scope(firm.tenant.pk):
        cell = make_cell(firm)
    audit_sequence()
    return cell


@pytest.mark.parametrize("model", GUARDED)
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_a_row_is_neither_changed_nor_removed(books: Cell, model: type[Model], verb: str) -> None:
    table = model._meta.db_table
    statement = f"UPDATE {table} SET id = id" if verb == "UPDATE" else f"DELETE FROM {table}"  # noqa: S608  # no input
    with every_tenant():
        before = model._default_manager.count()
        with pytest.raises(DatabaseError, match=f"{table} is append-only"), transaction.atomic():
            connection.cursor().execute(statement)
        assert model._default_manager.count() == before > 0


@pytest.mark.parametrize("model", GUARDED)
def test_the_models_own_ways_are_refused_too(books: Cell, model: type[Model]) -> None:
    with every_tenant():
        row = model._default_manager.first()
        assert row is not None
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            row.save()
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            model._default_manager.filter(pk=row.pk).update(tenant=F("tenant"))


@pytest.mark.parametrize("model", GUARDED)
def test_a_table_is_not_emptied_at_once(books: Cell, model: type[Model]) -> None:
    connection.check_constraints()  # what is still to be checked would stop a TRUNCATE before the guard does
    table = model._meta.db_table
    # SQLite has no TRUNCATE: a DELETE without a condition is its own.
    statement = f"TRUNCATE {table} CASCADE" if connection.vendor == "postgresql" else f"DELETE FROM {table}"  # noqa: S608
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)


def test_a_lost_guard_is_reported_and_comes_back_with_migrate(transactional_db: None) -> None:
    assert append_only.missing("default") == []
    with append_only.lifted("default"):
        lost = append_only.missing("default")
        assert "portfolios_ledgerentry_no_update" in lost
        messages = append_only.check_guards(["default"])
        assert len(messages) == len(lost)
        assert messages[0].id == "volbal.E001"
    assert append_only.missing("default") == []
    with connection.cursor() as cursor:
        suffix = "" if connection.vendor == "sqlite" else " ON portfolios_event"
        cursor.execute(f"DROP TRIGGER portfolios_event_no_update{suffix}")
    assert append_only.missing("default") == ["portfolios_event_no_update"]
    call_command("migrate", verbosity=0)
    assert append_only.missing("default") == []


def test_a_flush_between_tests_leaves_the_guards(transactional_db: None) -> None:
    firm = make_firm()
    with tenant_scope(firm.tenant.pk):
        make_cell(firm)
        assert append_only.missing("default") == []
