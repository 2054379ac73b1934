"""Orders, their moves and fills: read only."""

from __future__ import annotations

from django.contrib import admin

from trading.models import Fill, FillCursor, Order, OrderTransition
from volbal.common.admin import ReadOnlyAdmin, TenantAdmin
from volbal.common.templatetags.figures import words


@admin.register(Order)
class OrderAdmin(TenantAdmin):
    """What we wanted done, and how far it is."""

    list_display = (
        "as_of", "cell", "side", "quantity", "type", "limit_price", "status", "status_detail", "filled_quantity",
        "notional", "commission", "why", "status_at", "client_order_id", "broker_order_id",
    )  # fmt: skip
    list_filter = ("status", "side", "reason", "account", "as_of")
    list_select_related = ("cell__instrument",)
    search_fields = ("client_order_id", "broker_order_id", "cell__instrument__symbol")

    @admin.display(description="Reason", ordering="reason")
    def why(self, row: Order) -> str:
        """Return the reason in words."""
        return words(row.reason)


@admin.register(OrderTransition)
class OrderTransitionAdmin(TenantAdmin):
    """Every move of every order."""

    list_display = ("recorded_at", "order", "before", "after", "detail")
    list_filter = ("after", "recorded_at")
    list_select_related = ("order",)
    search_fields = ("order__client_order_id",)


@admin.register(Fill)
class FillAdmin(TenantAdmin):
    """Brokers' reports, as booked."""

    list_display = (
        "as_of", "cell", "side", "quantity", "price", "notional", "commission", "account", "broker_fill_id",
    )  # fmt: skip
    list_filter = ("account", "as_of", "order__side")
    list_select_related = ("account", "order__cell__instrument")
    search_fields = ("broker_fill_id", "order__client_order_id", "order__cell__instrument__symbol")

    @admin.display(ordering="order__cell__instrument__symbol")
    def cell(self, row: Fill) -> str:
        """Return the cell that bought or sold."""
        return str(row.order.cell)

    @admin.display(ordering="order__side")
    def side(self, row: Fill) -> str:
        """Return which way it went."""
        return row.order.get_side_display()


@admin.register(FillCursor)
class FillCursorAdmin(ReadOnlyAdmin):
    """How far each account's reports have been read."""

    list_display = ("account", "position")
    list_select_related = ("account",)
