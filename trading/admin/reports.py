"""Brokers' reports that wait for a person: fills without an order of ours, and what makes no sense."""

from __future__ import annotations

from django.contrib import admin

from trading.models import HeldFill, HeldFillResolution, RefusedReport
from volbal.common.admin import TenantAdmin


@admin.register(HeldFill)
class HeldFillAdmin(TenantAdmin):
    """Fills without an order."""

    list_display = (
        "as_of", "account", "side", "symbol", "quantity", "price", "broker_order_id", "client_order_id",
        "broker_fill_id", "recorded_at",
    )  # fmt: skip
    list_filter = (("resolution", admin.EmptyFieldListFilter), "account", "symbol", "as_of")
    list_select_related = ("account", "resolution")
    search_fields = ("symbol", "broker_fill_id", "broker_order_id", "client_order_id")


@admin.register(HeldFillResolution)
class HeldFillResolutionAdmin(TenantAdmin):
    """What people decided about them."""

    list_display = ("recorded_at", "held", "decision", "fill", "actor", "reason")
    list_filter = ("decision", "recorded_at")
    list_select_related = ("held", "fill", "actor")


@admin.register(RefusedReport)
class RefusedReportAdmin(TenantAdmin):
    """Reports that make no sense, kept as they came."""

    list_display = ("last_at", "account", "code", "sentence", "repetitions", "status", "reason", "first_at")
    list_filter = ("status", "code", "account", "last_at")
    list_select_related = ("account",)
    search_fields = ("sentence", "payload")
