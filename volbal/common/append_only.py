"""Tables whose rows are never changed or removed, guarded by triggers of the database itself.

SQLite drops triggers silently when a migration rebuilds a table, so they are installed after every migrate and a
system check (`manage.py check --database default`) says when one is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django.core import checks
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

ModelClass = TypeVar("ModelClass", bound=type[Model])
_models: list[type[Model]] = []

_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION volbal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: write an opposite entry instead', TG_TABLE_NAME;
END $$
"""


def append_only(model: ModelClass) -> ModelClass:
    """Declare a model append-only: the database refuses to update or delete its rows."""
    _models.append(model)
    return model


def _statements(vendor: str, table: str) -> list[str]:
    """Return the statements that create the guards of one table; running them again changes nothing."""
    if vendor == "sqlite":
        return [
            f'CREATE TRIGGER IF NOT EXISTS "{table}_no_{verb}" BEFORE {verb.upper()} ON "{table}" '
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: write an opposite entry instead'); END"
            for verb in ("update", "delete")
        ]
    return [
        _POSTGRESQL_FUNCTION,
        f'CREATE OR REPLACE TRIGGER "{table}_no_update" BEFORE UPDATE OR DELETE ON "{table}" '
        "FOR EACH ROW EXECUTE FUNCTION volbal_refuse_change()",
        f'CREATE OR REPLACE TRIGGER "{table}_no_truncate" BEFORE TRUNCATE ON "{table}" '
        "FOR EACH STATEMENT EXECUTE FUNCTION volbal_refuse_change()",
    ]


def _guards(vendor: str, table: str) -> list[str]:
    second = "delete" if vendor == "sqlite" else "truncate"
    return [f"{table}_no_update", f"{table}_no_{second}"]


def _tables(connection: BaseDatabaseWrapper) -> list[str]:
    existing = set(connection.introspection.table_names())
    return [model._meta.db_table for model in _models if model._meta.db_table in existing]


def install(using: str) -> None:
    """Create every missing guard in the database `using`."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for table in _tables(connection):
            for statement in _statements(connection.vendor, table):
                cursor.execute(statement)


def missing(using: str) -> list[str]:
    """Return the names of guards that should be in the database `using` and are not."""
    connection = connections[using]
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.vendor == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        present = {row[0] for row in cursor.fetchall()}
    wanted = (guard for table in _tables(connection) for guard in _guards(connection.vendor, table))
    return [guard for guard in wanted if guard not in present]


@contextmanager
def lifted(using: str) -> Iterator[None]:
    """Take the guards away inside the block. Only a test's flush of its own database may do so."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for table in _tables(connection):
            for guard in _guards(connection.vendor, table):
                suffix = "" if connection.vendor == "sqlite" else f' ON "{table}"'
                cursor.execute(f'DROP TRIGGER IF EXISTS "{guard}"{suffix}')
    try:
        yield
    finally:
        install(using)


def install_after_migrate(using: str, **_: Any) -> None:
    """Receive `post_migrate`, once for each application; what is there already is left alone."""
    if missing(using):
        install(using)


def check_guards(databases: Sequence[str] | None, **_: Any) -> list[checks.CheckMessage]:
    """Report append-only tables that lost a guard (run by `check --database`)."""
    return [
        checks.Error(
            f"The append-only guard {guard} is missing from database {using}.",
            hint="Run manage.py migrate, which installs it again.",
            id="volbal.E001",
        )
        for using in databases or []
        for guard in missing(using)
    ]


def register_check() -> None:
    """Make `manage.py check --database` and `migrate` run check_guards."""
    checks.register(check_guards, checks.Tags.database)
