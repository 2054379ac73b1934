"""What is only read: ledger, events, audit chain, parameter versions."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model

from portfolios import services
from portfolios.admin.forms import ReasonForm
from portfolios.models import AuditLink, Event, EventCursor, LedgerEntry, ParameterVersion
from portfolios.selectors import present_moment
from portfolios.services.reversals import REVERSIBLE
from volbal.common.admin import ReadOnlyAdmin, TenantAdmin
from volbal.common.clock import now
from volbal.common.operations import Operation, OperationsAdmin


class ReverseForm(ReasonForm):
    """Book the opposite of an entry."""

    def perform(self, row: LedgerEntry) -> Model:
        """Call the service."""
        when = now() if row.cell is None else present_moment(row.cell.portfolio)
        return services.entry_reverse(entry=row, as_of=when, origin=self.origin)[0]


def _can_reverse(entry: LedgerEntry) -> bool:
    """Return whether an entry may be reversed: a movement by hand, no reversal itself, and not reversed already."""
    may = entry.kind in REVERSIBLE and entry.reverses_id is None
    return may and not LedgerEntry.objects.filter(reverses=entry).exists()


@admin.register(LedgerEntry)
class LedgerEntryAdmin(OperationsAdmin, TenantAdmin):
    """Every cent and every share with its reason. An entry is never edited; it may be reversed by its opposite."""

    list_display = (
        "id", "as_of", "account", "cell", "kind", "cash", "shares", "receivable", "price", "currency", "key",
        "reverses",
    )  # fmt: skip
    list_filter = ("kind", "account", "as_of")
    list_select_related = ("account", "cell__instrument", "reverses")
    search_fields = ("key", "note")
    operations = (
        Operation(
            "reverse",
            "Reverse",
            ReverseForm,
            harm="The opposite of each entry is booked; of a transfer, at both ends. The entries stay.",
            possible=_can_reverse,
        ),
    )

    def describe(self, row: LedgerEntry) -> str:
        """Say what the entry moved."""
        return f"{row.as_of:%Y-%m-%d} {row.get_kind_display()}: {row.cash:+,} cash, {row.shares.normalize():+,f} shares"


@admin.register(ParameterVersion)
class ParameterVersionAdmin(TenantAdmin):
    """Versions of parameters; decisions name them."""

    list_display = (
        "cell",
        "number",
        "preset",
        "trigger_up",
        "trigger_down",
        "sizing",
        "created_by",
        "created_at",
        "note",
    )
    list_filter = ("sizing", "preset")
    list_select_related = ("cell__instrument", "created_by")
    search_fields = ("cell__instrument__symbol", "note")


@admin.register(Event)
class EventAdmin(TenantAdmin):
    """What changed: who, what, before, after, why. People stand here by id."""

    list_display = ("id", "recorded_at", "tenant", "kind", "subject", "actor_id", "task", "reason", "request_id")
    list_filter = ("kind", "recorded_at")
    list_select_related = ("tenant",)
    search_fields = ("subject", "kind", "request_id")


@admin.register(AuditLink)
class AuditLinkAdmin(TenantAdmin):
    """The hash chain over each tenant's events."""

    list_display = ("created_at", "tenant", "sequence", "event", "hash")
    ordering = ("-id",)
    list_select_related = ("tenant", "event")
    search_fields = ("hash", "event__subject")


@admin.register(EventCursor)
class EventCursorAdmin(ReadOnlyAdmin):
    """How far each reader of the outbox has come."""

    list_display = ("reader", "last_event_id", "updated_at")
