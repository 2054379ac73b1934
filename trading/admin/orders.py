"""Orders, their moves, fills, and the paper broker's own book: read only."""

from __future__ import annotations

from django.contrib import admin

from trading.models import Fill, FillCursor, Order, OrderTransition, PaperFill, PaperOrder
from volbal.common.admin import ReadOnlyAdmin, TenantAdmin


@admin.register(Order)
class OrderAdmin(TenantAdmin):
    """What we wanted done, and how far it is."""

    list_display = (
        "as_of", "cell", "side", "quantity", "type", "limit_price", "status", "status_at", "status_detail",
        "filled_quantity", "notional", "commission", "reason", "client_order_id", "broker_order_id",
    )  # fmt: skip
    list_filter = ("status", "side", "reason", "account", "as_of")
    list_select_related = ("cell__instrument",)
    search_fields = ("client_order_id", "broker_order_id", "cell__instrument__symbol")


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

    list_display = ("as_of", "account", "order", "quantity", "price", "notional", "commission", "broker_fill_id")
    list_filter = ("account", "as_of")
    list_select_related = ("account", "order")
    search_fields = ("broker_fill_id", "order__client_order_id")


@admin.register(FillCursor)
class FillCursorAdmin(ReadOnlyAdmin):
    """How far each account's reports have been read."""

    list_display = ("account", "position")
    list_select_related = ("account",)


@admin.register(PaperOrder)
class PaperOrderAdmin(TenantAdmin):
    """The paper broker's orders."""

    list_display = ("received_at", "account", "client_order_id", "instrument", "side", "quantity", "is_open")
    list_filter = ("is_open", "side", "account")
    list_select_related = ("account", "instrument")
    search_fields = ("client_order_id",)


@admin.register(PaperFill)
class PaperFillAdmin(TenantAdmin):
    """The paper broker's fills."""

    list_display = ("as_of", "order", "quantity", "price", "notional", "commission")
    list_filter = ("as_of",)
    list_select_related = ("order",)
    search_fields = ("order__client_order_id",)
