"""The paper broker's own book: read only."""

from __future__ import annotations

from django.contrib import admin

from trading.models import PaperBook, PaperFill, PaperOrder, PaperReport
from volbal.common.admin import TenantAdmin


@admin.register(PaperBook)
class PaperBookAdmin(TenantAdmin):
    """How much each paper account was asked and told, and whether its line is down."""

    list_display = ("account", "orders", "reports", "calls", "silent_until")
    list_select_related = ("account",)
    search_fields = ("account__name",)


@admin.register(PaperOrder)
class PaperOrderAdmin(TenantAdmin):
    """The paper broker's orders."""

    list_display = (
        "received_at", "account", "number", "instrument", "side", "quantity", "type",
        "time_in_force", "limit_price", "stop_price", "status", "filled_quantity", "detail", "works_from", "expires_at",
        "client_order_id",
    )  # fmt: skip
    list_filter = ("status", "side", "type", "time_in_force", "account")
    list_select_related = ("account", "instrument")
    search_fields = ("client_order_id",)


@admin.register(PaperFill)
class PaperFillAdmin(TenantAdmin):
    """The paper broker's fills."""

    list_display = ("as_of", "order", "number", "quantity", "price", "notional", "commission")
    list_filter = ("as_of",)
    list_select_related = ("order",)
    search_fields = ("order__client_order_id",)


@admin.register(PaperReport)
class PaperReportAdmin(TenantAdmin):
    """When the paper broker tells its fills, and which of them twice."""

    list_display = ("due_at", "account", "number", "fill", "copy")
    list_filter = ("copy", ("number", admin.EmptyFieldListFilter))
    list_select_related = ("book__account", "fill")
    search_fields = ("fill__order__client_order_id",)

    @admin.display(ordering="book__account__name")
    def account(self, row: PaperReport) -> str:
        """Return whose account is told."""
        return str(row.book.account)
