"""Many rows in one statement, from columns of plain values: what a model instance for each row would cost too much for.

On PostgreSQL the columns travel as arrays and are unnested there, one that is the same in every row as a single value;
on SQLite one statement is run for each row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

Columns = Mapping[str, Sequence[Any]]
Column: TypeAlias = "models.Field[Any, Any]"


def rows_write(
    model: type[models.Model],
    columns: Columns,
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
    add: Sequence[str] = (),
    largest: Sequence[str] = (),
) -> None:
    """Insert rows given as columns by attribute name (`cell_id`, `as_of`), all of one length.

    With `unique`, the attributes of a unique constraint, a row that is there already gets the values of `update`
    instead, those of `add` on top of its own, and of `largest` where they are larger.
    Every column without a default in the database must be given, `auto_now_add` too. Nothing is validated
    and no tenant is looked for: that is the caller's.
    """
    if not columns or not len(next(iter(columns.values()))):
        return
    connection = connections[router.db_for_write(model)]
    fields = [model._meta.get_field(name) for name in columns]
    suffix = _on_conflict(model, connection, unique, _changes(connection, model, update, add, largest))
    write = _write_arrays if connection.vendor == "postgresql" else _write_each
    write(connection, model, fields, list(columns.values()), suffix)


def _write_arrays(
    connection: BaseDatabaseWrapper, model: type[models.Model], fields: Any, columns: Any, suffix: str
) -> None:
    chosen, single, arrays, varying = [], [], [], []
    for number, (field, values) in enumerate(zip(fields, columns, strict=True)):
        kind, name = _base_type(field, connection), connection.ops.quote_name(_column(field))
        # The first is always an array: it says how many rows there are.
        if number and values.count(values[0]) == len(columns[0]) == len(values):
            chosen.append(f"%s::{kind}")
            single.append(field.get_db_prep_save(values[0], connection))
        else:
            chosen.append(name)
            arrays.append(f"%s::{kind}[]")
            varying.append((name, _array(field, values)))
    names = ", ".join(name for name, _ in varying)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_insert(model, connection, fields)} SELECT {', '.join(chosen)} "  # noqa: S608  # names are ours
            f"FROM UNNEST({', '.join(arrays)}) AS given ({names}){suffix}",
            [*single, *(array for _, array in varying)],
        )


def _write_each(
    connection: BaseDatabaseWrapper, model: type[models.Model], fields: Any, columns: Any, suffix: str
) -> None:
    prepared = [
        [field.get_db_prep_save(value, connection) for value in values]
        for field, values in zip(fields, columns, strict=True)
    ]
    marks = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"{_insert(model, connection, fields)} VALUES ({marks}){suffix}", list(zip(*prepared, strict=True))
        )


def _insert(model: type[models.Model], connection: BaseDatabaseWrapper, fields: Sequence[Column]) -> str:
    quote = connection.ops.quote_name
    names = ", ".join(quote(_column(field)) for field in fields)
    return f"INSERT INTO {quote(model._meta.db_table)} ({names})"


def _on_conflict(
    model: type[models.Model], connection: BaseDatabaseWrapper, unique: Sequence[str], changes: Sequence[str]
) -> str:
    if not unique:
        return ""
    keys = ", ".join(connection.ops.quote_name(_column(model._meta.get_field(name))) for name in unique)
    return f" ON CONFLICT ({keys}) DO UPDATE SET {', '.join(changes)}"


def _changes(
    connection: BaseDatabaseWrapper,
    model: type[models.Model],
    update: Sequence[str],
    add: Sequence[str],
    largest: Sequence[str],
) -> list[str]:
    """Return what becomes of each column of a row that is there already."""
    table = connection.ops.quote_name(model._meta.db_table)
    larger = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    made = []
    for names, change in (
        (update, "{0} = EXCLUDED.{0}"),
        (add, "{0} = {1}.{0} + EXCLUDED.{0}"),
        (largest, "{0} = {2}({1}.{0}, EXCLUDED.{0})"),
    ):
        columns = [connection.ops.quote_name(_column(model._meta.get_field(name))) for name in names]
        made += [change.format(column, table, larger) for column in columns]
    return made


def _column(field: Any) -> str:
    return str(field.column)


def _base_type(field: Column, connection: BaseDatabaseWrapper) -> str:
    """Return a column's type without its precision, which the table itself applies."""
    return (field.db_type(connection) or "").partition("(")[0]


def _array(field: Column, values: Sequence[Any]) -> str:
    """Return values as the text of a PostgreSQL array."""
    write = _WRITERS.get(_kind(field), _quoted)
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"


def _kind(field: Column) -> str:
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field.get_internal_type()


def _quoted(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _moment(value: dt.datetime) -> str:
    return f'"{value.isoformat()}"'


def _flag(value: bool) -> str:
    return "t" if value else "f"


def _binary(value: bytes) -> str:
    return _quoted(f"\\x{bytes(value).hex()}")


_WRITERS: dict[str, Callable[[Any], str]] = {
    "AutoField": str,
    "BigAutoField": str,
    "BigIntegerField": str,
    "BinaryField": _binary,
    "BooleanField": _flag,
    "DateField": dt.date.isoformat,
    "DateTimeField": _moment,
    "DecimalField": str,
    "FloatField": str,
    "IntegerField": str,
    "PositiveBigIntegerField": str,
    "PositiveIntegerField": str,
    "PositiveSmallIntegerField": str,
    "SmallIntegerField": str,
}
