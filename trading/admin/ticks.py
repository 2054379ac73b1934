"""Ticks, evaluations and daily marks: read only."""

from __future__ import annotations

from django.contrib import admin

from trading.models import DailyMark, Evaluation, Tick
from volbal.common.admin import TenantAdmin
from volbal.common.templatetags.figures import words


@admin.register(Tick)
class TickAdmin(TenantAdmin):
    """Each look at a portfolio."""

    list_display = ("as_of", "portfolio", "cell_count", "order_count", "value", "duration_ms", "recorded_at")
    list_filter = ("portfolio", "as_of")
    list_select_related = ("portfolio",)


@admin.register(Evaluation)
class EvaluationAdmin(TenantAdmin):
    """What the rule was asked and what it said."""

    list_display = (
        "as_of", "cell", "action", "why", "sentence", "price", "anchor", "quantity", "source", "age_seconds",
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
    list_filter = ("day",)
    list_select_related = ("cell__instrument",)
    search_fields = ("cell__instrument__symbol",)
