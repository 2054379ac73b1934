"""Reads of the audit chain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from portfolios.models import AuditLink, Event
from reporting.services.audit import START, chain_of, link_hash


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a chain does not hold, and why."""

    tenant_id: int | None
    sequence: int
    event_id: int
    problem: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"tenant {self.tenant_id}, link {self.sequence}, event {self.event_id}: {self.problem}"


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a walk along a chain found. `head` is the last link's hash: kept elsewhere, it shows a cut-off end."""

    tenant_id: int | None
    links: int
    head: str
    waiting: int
    breaks: tuple[Break, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every link holds."""
        return not self.breaks


def audit_verify(tenant_id: int | None) -> ChainReport:
    """Walk a tenant's chain and name every link that does not hold; None is the installation's own.

    Open the tenant's scope first (`every_tenant` for the installation's own). `waiting` counts events that the
    sequencer has not linked yet.
    """
    links, head = 0, START
    breaks: list[Break] = []
    rows = AuditLink.objects.filter(chain_of(tenant_id)).select_related("event").order_by("sequence")
    for links, link in enumerate(rows.iterator(chunk_size=1_000), start=1):
        breaks.extend(
            Break(tenant_id, link.sequence, link.event_id, problem) for problem in _problems(link, links, head)
        )
        head = link.hash
    waiting = Event.objects.filter(chain_of(tenant_id), audit_link__isnull=True).count()
    return ChainReport(tenant_id, links, head, waiting, tuple(breaks))


def _problems(link: AuditLink, expected_sequence: int, previous_hash: str) -> Iterator[str]:
    if link.sequence != expected_sequence:
        yield f"its number is {link.sequence}, expected {expected_sequence}: a link is missing before it"
    if link.previous_hash != previous_hash:
        yield "it does not continue the link before it"
    if link.event.tenant_id != link.tenant_id:
        yield f"its event belongs to tenant {link.event.tenant_id}"
    if link.hash != link_hash(link.previous_hash, link.sequence, link.event):
        yield "its event is not what was sealed"
