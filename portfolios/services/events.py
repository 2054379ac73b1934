"""The outbox: every change leaves an event in its own transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import Model

from portfolios.models import Event
from portfolios.services.origin import Origin
from volbal.common.middleware import current_request_id
from volbal.common.tenancy import require_tenant

_NOUNS = {
    "brokeraccount": "account",
    "commissionschedule": "commission",
    "parameterversion": "parameters",
    "feedstatus": "feed",
    "ledgerentry": "entry",
    "pricequarantine": "quarantine",
}


def subject_of(row: Model) -> str:
    """Return how events name a row: `noun:id`."""
    name = str(row._meta.model_name)
    return f"{_NOUNS.get(name, name)}:{row.pk}"


def event_record(
    *,
    kind: str,
    subject: str,
    origin: Origin,
    tenant_id: int | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    as_of: dt.datetime | None = None,
) -> Event:
    """Write one event; call it inside the transaction of the change.

    `before` and `after` hold what changed, and people only by id. `tenant_id` None is the whole installation.
    Raises ScopeError when the tenant is not in scope.
    """
    event = event_make(
        kind=kind, subject=subject, origin=origin, tenant_id=tenant_id, before=before, after=after, as_of=as_of
    )
    event.save(force_insert=True)
    return event


def event_make(
    *,
    kind: str,
    subject: str,
    origin: Origin,
    tenant_id: int | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    as_of: dt.datetime | None = None,
) -> Event:
    """Return an event for the caller to insert with others (see event_record)."""
    if tenant_id is not None:
        require_tenant(tenant_id)
    return Event(
        tenant_id=tenant_id,
        kind=kind,
        subject=subject,
        actor_id=origin.actor_id,
        task=origin.task,
        before=plain(before or {}),
        after=plain(after or {}),
        reason=origin.reason,
        request_id=current_request_id(),
        as_of=as_of,
    )


def plain(value: Any) -> Any:
    """Return a value as JSON keeps it everywhere alike: exact numbers and times become texts."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return repr(value)
    return value.isoformat() if isinstance(value, dt.date) else value
