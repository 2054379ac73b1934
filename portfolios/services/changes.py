"""One way to change a row that people own: lock it, change it, keep the event."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db import transaction
from django.db.models import ForeignKey, Model

from portfolios.models import Event
from portfolios.services.events import event_make, subject_of
from portfolios.services.origin import Origin
from volbal.common.errors import Conflict

Row = TypeVar("Row", bound=Model)


@dataclass(slots=True)
class Change(Generic[Row]):
    """A locked row under change; `details` join what the event says came after."""

    row: Row
    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def changing(
    row: Row,
    *,
    kind: str,
    origin: Origin,
    as_of: dt.datetime | None = None,
    expected_version: int | None = None,
) -> Iterator[Change[Row]]:
    """Lock `row` anew, let the block change it, save it and record the event, all in one transaction.

    A block that changes nothing leaves no event. Afterwards `row` itself is up to date. Raises Conflict when
    `expected_version` is given and is not the stored one, and ScopeError when its tenant is not in scope.
    """
    with transaction.atomic():
        locked = lock(row)
        if expected_version is not None:
            _require_version(locked, expected_version)
        before = _values(locked)
        change = Change(locked)
        yield change
        _keep(change, before, kind=kind, origin=origin, as_of=as_of)
    for name, value in _values(locked).items():
        setattr(row, name, value)


class ManyChanges(Generic[Row]):
    """Changes of rows that the caller holds locked, written together: one statement for rows, one for events."""

    def __init__(self, *, origin: Origin, as_of: dt.datetime) -> None:
        self._origin, self._as_of = origin, as_of
        self._rows: dict[Any, Row] = {}
        self._columns: set[str] = set()
        self._events: list[Event] = []

    @contextmanager
    def changing(self, row: Row, *, kind: str) -> Iterator[Change[Row]]:
        """Let the block change `row` and keep the event of it; nothing is written before `write`."""
        before = _values(row)
        change = Change(row)
        yield change
        event = _event(change, before, kind=kind, origin=self._origin, as_of=self._as_of)
        if event is not None:
            self._events.append(event)
            self._rows[row.pk] = row
            self._columns |= _changed(row, before)

    def write(self) -> None:
        """Write every row and event kept so far."""
        if self._columns:
            rows = list(self._rows.values())
            type(rows[0])._default_manager.bulk_update(rows, sorted(self._columns), batch_size=500)
        Event.objects.bulk_create(self._events)
        self._rows, self._columns, self._events = {}, set(), []


def lock(row: Row) -> Row:
    """Return the row as stored, held until the transaction ends. On SQLite the transaction itself is the lock."""
    # The key itself never changes, and is left free: rows that refer to this one are inserted by others meanwhile, and
    # two writers who hold a cell and its account would wait for each other for ever.
    locked = type(row)._default_manager.select_for_update(of=("self",), no_key=True).get(pk=row.pk)
    for column in row._meta.concrete_fields:
        name = column.attname
        # What both point to needs no second query.
        if isinstance(column, ForeignKey) and column.is_cached(row) and getattr(locked, name) == getattr(row, name):
            column.set_cached_value(locked, column.get_cached_value(row))
    return locked


def _values(row: Model) -> dict[str, Any]:
    return {column.attname: getattr(row, column.attname) for column in row._meta.concrete_fields}


def _require_version(row: Any, expected: int) -> None:
    if row.version != expected:
        raise Conflict(
            f"{subject_of(row)} is at version {row.version}, not {expected}: someone changed it meanwhile.",
            hint="Look at it again and repeat what you want.",
        )


def _keep(change: Change[Any], before: dict[str, Any], *, kind: str, origin: Origin, as_of: dt.datetime | None) -> None:
    event = _event(change, before, kind=kind, origin=origin, as_of=as_of)
    if event is not None:
        change.row.save(update_fields=_changed(change.row, before) or None)
        event.save(force_insert=True)


def _event(
    change: Change[Any], before: dict[str, Any], *, kind: str, origin: Origin, as_of: dt.datetime | None
) -> Event | None:
    """Return the event of a change, the row's version grown with it; None where nothing changed."""
    row = change.row
    changed = _changed(row, before)
    if not changed and not change.details:
        return None
    if "version" in before:
        row.version += 1
        changed.add("version")
    return event_make(
        kind=kind,
        subject=subject_of(row),
        origin=origin,
        tenant_id=getattr(row, "tenant_id", row.pk),
        before={name: before[name] for name in before if name in changed},
        after={name: getattr(row, name) for name in before if name in changed} | change.details,
        as_of=as_of,
    )


def _changed(row: Model, before: dict[str, Any]) -> set[str]:
    return {name for name, value in _values(row).items() if value != before[name]}
