"""Prices and corporate actions, which the whole installation shares."""

from __future__ import annotations

from django.contrib import admin

from trading.models import ActionApplication, BarSeries, CorporateAction, Quote
from volbal.common.admin import SharedAdmin, TenantAdmin


@admin.register(BarSeries)
class BarSeriesAdmin(SharedAdmin):
    """Catalogued bars. A correction is a new version."""

    list_display = ("instrument", "resolution", "version", "source", "is_synthetic", "first", "last", "rows", "sha256")
    list_filter = ("resolution", "is_synthetic", "source", "instrument")
    list_select_related = ("instrument",)
    search_fields = ("instrument__symbol", "source", "sha256")


@admin.register(Quote)
class QuoteAdmin(SharedAdmin):
    """The newest quote of each source."""

    list_display = ("source", "instrument", "last", "bid", "ask", "is_synthetic", "as_of", "received_at")
    list_filter = ("is_synthetic", "source", "instrument")
    list_select_related = ("instrument",)
    search_fields = ("instrument__symbol", "source")


@admin.register(CorporateAction)
class CorporateActionAdmin(SharedAdmin):
    """Dividends and splits as announced."""

    list_display = ("instrument", "kind", "ex_date", "pay_date", "amount", "ratio", "source")
    list_filter = ("kind", "instrument", "ex_date")
    list_select_related = ("instrument",)
    search_fields = ("instrument__symbol", "source")


@admin.register(ActionApplication)
class ActionApplicationAdmin(TenantAdmin):
    """How each cell took a dividend or a split."""

    list_display = (
        "as_of", "cell", "action", "shares", "gross", "tax", "net", "pay_date", "paid_at", "anchor_before",
        "anchor_after",
    )  # fmt: skip
    list_filter = ("action__kind", ("paid_at", admin.EmptyFieldListFilter), "as_of")
    list_select_related = ("cell__instrument", "action")
    search_fields = ("cell__instrument__symbol",)
