"""The audit chain: one sequencer lays each tenant's hash chain over its committed events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Q

from portfolios.models import AuditLink, Event, EventCursor
from volbal.common.tenancy import every_tenant

READER = "audit"
BATCH = 1_000
START = "0" * 64


def audit_sequence() -> int:
    """Link every committed event that has no link yet and return how many were linked.

    Two never run at once: the second waits for the first, batch by batch. Events are found by their missing link, not
    by their number, so that one whose transaction commits late is linked late and never lost.
    """
    linked = 0
    with every_tenant():
        while batch := _link_batch():
            linked += batch
    return linked


def event_content(event: Event) -> dict[str, Any]:
    """Return what the chain seals of an event; people stand in it by id only."""
    return {
        "id": event.pk,
        "tenant": event.tenant_id,
        "kind": event.kind,
        "subject": event.subject,
        "actor": event.actor_id,
        "task": event.task,
        "before": event.before,
        "after": event.after,
        "reason": event.reason,
        "request": event.request_id,
        "as_of": None if event.as_of is None else event.as_of.isoformat(),
        "recorded_at": event.recorded_at.isoformat(),
    }


def link_hash(previous_hash: str, sequence: int, event: Event) -> str:
    """Return the SHA-256 of a link: the hash before it, its number, and the event's content with sorted names."""
    content = {"previous": previous_hash, "sequence": sequence, "event": event_content(event)}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def chain_of(tenant_id: int | None) -> Q:
    """Return the condition for a tenant's rows; None is the installation's own."""
    return Q(tenant__isnull=True) if tenant_id is None else Q(tenant_id=tenant_id)


@transaction.atomic
def _link_batch() -> int:
    EventCursor.objects.get_or_create(reader=READER)
    cursor = EventCursor.objects.select_for_update().get(reader=READER)
    events = list(Event.objects.filter(audit_link__isnull=True).order_by("id")[:BATCH])
    if not events:
        return 0
    AuditLink.objects.bulk_create(_links(events))
    cursor.last_event_id = max(cursor.last_event_id, events[-1].pk)
    cursor.save()
    return len(events)


def _links(events: Iterable[Event]) -> list[AuditLink]:
    ends: dict[int | None, tuple[int, str]] = {}
    links = []
    for event in events:
        sequence, previous = ends.get(event.tenant_id) or _end_of_chain(event.tenant_id)
        own = link_hash(previous, sequence + 1, event)
        ends[event.tenant_id] = (sequence + 1, own)
        links.append(
            AuditLink(tenant_id=event.tenant_id, event=event, sequence=sequence + 1, previous_hash=previous, hash=own)
        )
    return links


def _end_of_chain(tenant_id: int | None) -> tuple[int, str]:
    last = AuditLink.objects.filter(chain_of(tenant_id)).order_by("-sequence").first()
    return (0, START) if last is None else (last.sequence, last.hash)
