"""Ticks, evaluations and daily marks: read only."""

from __future__ import annotations

from django.contrib import admin

from trading.models import DailyMark, Evaluation, Tick, TickState
from trading.selectors.tick_states import tick_lateness
from volbal.common.admin import TenantAdmin
from volbal.common.templatetags.figures import words


@admin.register(Tick)
class TickAdmin(TenantAdmin):
    """Each look at a portfolio."""

    list_display = ("recorded_at", "portfolio", "cell_count", "order_count", "value", "duration_ms", "as_of")
    ordering = ("-id",)
    list_filter = ("portfolio", "as_of")
    list_select_related = ("portfolio",)


@admin.register(TickState)
class TickStateAdmin(TenantAdmin):
    """How each portfolio's ticks go."""

    list_display = (
        "portfolio", "interval", "last_tick_at", "late", "last_duration_ms", "failed_in_a_row", "last_error",
        "last_error_at", "missed_since", "missed_count", "woken_at",
    )  # fmt: skip
    list_filter = (("missed_since", admin.EmptyFieldListFilter), "last_tick_at")
    list_select_related = ("portfolio",)
    search_fields = ("portfolio__name", "last_error")

    @admin.display(description="Interval, s", ordering="portfolio__tick_interval_seconds")
    def interval(self, row: TickState) -> int:
        """Return how often it is looked at, in seconds."""
        return row.portfolio.tick_interval_seconds

    @admin.display(description="Late")
    def late(self, row: TickState) -> str:
        """Say how late its tick is."""
        return tick_lateness(row.portfolio, row).text


@admin.register(Evaluation)
class EvaluationAdmin(TenantAdmin):
    """What the rule was asked and what it said."""

    list_display = (
        "as_of", "until", "looks", "cell", "action", "why", "sentence", "price", "anchor", "quantity", "source",
        "age_seconds",
    )  # fmt: skip
    list_filter = ("action", "reason", "is_synthetic", "as_of")
    list_select_related = ("cell__instrument",)
    search_fields = ("cell__instrument__symbol", "sentence")

    @admin.display(description="Reason", ordering="reason")
    def why(self, row: Evaluation) -> str:
        """Return the reason in words."""
        return words(row.reason)


@admin.register(DailyMark)
class DailyMarkAdmin(TenantAdmin):
    """What each cell was worth at the end of each exchange day."""

    list_display = ("day", "cell", "close", "value")
    ordering = ("-day", "cell_id")
    list_filter = ("day",)
    list_select_related = ("cell__instrument",)
    search_fields = ("cell__instrument__symbol",)
