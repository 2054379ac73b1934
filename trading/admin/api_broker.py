"""Brokers that work over our API: what waits for them, and what they reported. Read only: they act over the API."""

from __future__ import annotations

from django.contrib import admin

from trading.models import ApiFill, ApiHoldings, ApiOrder
from volbal.common.admin import TenantAdmin


@admin.register(ApiOrder)
class ApiOrderAdmin(TenantAdmin):
    """Orders laid out for their brokers, and how far those are."""

    list_display = (
        "created_at", "account", "symbol", "side", "quantity", "type", "time_in_force", "limit_price", "stop_price",
        "state", "state_at", "code", "detail", "cancel_declined", "filled_quantity", "claimed_by", "claimed_until",
        "client_order_id", "broker_order_id",
    )  # fmt: skip
    list_filter = ("state", "account", "side", "type")
    list_select_related = ("account",)
    search_fields = ("client_order_id", "broker_order_id", "symbol")


@admin.register(ApiFill)
class ApiFillAdmin(TenantAdmin):
    """Fills as brokers reported them."""

    list_display = (
        "as_of", "recorded_at", "account", "symbol", "side", "quantity", "price", "currency", "commission",
        "order", "broker_fill_id",
    )  # fmt: skip
    list_filter = ("account", "as_of", ("order", admin.EmptyFieldListFilter))
    list_select_related = ("account", "order")
    search_fields = ("broker_fill_id", "client_order_id", "symbol")


@admin.register(ApiHoldings)
class ApiHoldingsAdmin(TenantAdmin):
    """What brokers say they hold."""

    list_display = ("as_of", "account", "shares", "cash", "recorded_at")
    list_filter = ("account", "as_of")
    list_select_related = ("account",)
