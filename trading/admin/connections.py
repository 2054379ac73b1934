"""The lines over which brokers tell what happens, and feeds what prices are."""

from __future__ import annotations

from django.contrib import admin

from trading.models import BrokerConnection, Connection, PriceConnection
from volbal.common.admin import SharedAdmin, TenantAdmin
from volbal.common.clock import now

HOW_IT_STANDS = (
    "standing", "state_at", "last_message_at", "messages", "refused_messages", "refusal", "losses", "error", "error_at",
    "owner",
)  # fmt: skip


@admin.display(ordering="state", description="state")
def standing(row: Connection) -> str:
    """Say how it stands, and when nobody follows it although someone should."""
    if row.state != Connection.State.STOPPED and not row.is_followed(now()):
        return "Nobody follows it: its process was killed"
    return str(row.get_state_display())


@admin.register(BrokerConnection)
class BrokerConnectionAdmin(TenantAdmin):
    """How each account's stream stands."""

    list_display = ("account", "tenant", standing, *HOW_IT_STANDS[1:])
    list_filter = ("state",)
    list_select_related = ("account", "tenant")
    search_fields = ("account__name",)


@admin.register(PriceConnection)
class PriceConnectionAdmin(SharedAdmin):
    """How each stream of prices stands."""

    list_display = ("source", standing, *HOW_IT_STANDS[1:])
    list_filter = ("state",)
    search_fields = ("source",)
