"""The lines over which brokers tell what happens."""

from __future__ import annotations

from django.contrib import admin

from trading.models import BrokerConnection
from volbal.common.admin import TenantAdmin
from volbal.common.clock import now


@admin.register(BrokerConnection)
class BrokerConnectionAdmin(TenantAdmin):
    """How each account's stream stands."""

    list_display = (
        "account", "tenant", "standing", "state_at", "last_message_at", "messages", "refused_messages", "refusal",
        "losses", "error", "error_at", "owner",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("account", "tenant")
    search_fields = ("account__name",)

    @admin.display(ordering="state", description="state")
    def standing(self, row: BrokerConnection) -> str:
        """Say how it stands, and when nobody follows it although someone should."""
        if row.state != BrokerConnection.State.STOPPED and not row.is_followed(now()):
            return "Nobody follows it: its process was killed"
        return row.get_state_display()
