"""Prices in the console: how fresh, how wide, how far they are trusted, and what waits for a person."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import Case, Model, Q, QuerySet, When
from django.http import HttpRequest

from portfolios.admin.forms import ReasonForm
from trading.feeds.sources import PUSHED, pushed_source, tenant_of_source
from trading.models import FeedStatus, PriceQuarantine, PriceTrack, Quote, QuoteStatistic
from trading.services.quarantines import RESOLVABLE, quarantine_accept, quarantine_refuse
from volbal.common import clock
from volbal.common.admin import SharedAdmin, is_platform_operator, may_act, roles_of
from volbal.common.columns import figure_text
from volbal.common.operations import Operation, OperationsAdmin
from volbal.common.templatetags.figures import age, words


class SourceAdmin(SharedAdmin):
    """Rows by source: everyone reads the installation's own; what a tenant's brokers push is that tenant's alone."""

    who_acts = "Whoever runs this installation decides here; on prices that a firm's brokers push, its operators."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of sources that the person may know of."""
        rows: QuerySet[Any] = super().get_queryset(request)
        if is_platform_operator(request):
            return rows
        own = [pushed_source(tenant_id) for tenant_id in roles_of(request)]
        return rows.filter(~Q(source__startswith=f"{PUSHED}:") | Q(source__in=own))

    def may_act_on(self, request: HttpRequest, row: Model | None) -> bool:
        """Allow the platform operator, and a tenant's own operators on what is pushed for it."""
        if row is None:
            return is_platform_operator(request) or any(may_act(request, tenant) for tenant in roles_of(request))
        return may_act(request, tenant_of_source(str(getattr(row, "source", ""))))


def _age(moment: dt.datetime | None) -> str | None:
    return None if moment is None else age((clock.now() - moment).total_seconds())


@admin.register(Quote)
class QuoteAdmin(SourceAdmin):
    """The newest quote of each source."""

    list_display = (
        "source", "instrument", "price", "bid", "ask", "last", "kind", "made", "last_trade", "why", "received_at",
    )  # fmt: skip
    list_filter = ("is_synthetic", "refusal", "source", "instrument")
    list_select_related = ("instrument",)
    search_fields = ("instrument__symbol", "source")

    @admin.display(description="Prices", ordering="is_synthetic")
    def kind(self, row: Quote) -> str:
        """Say whether they are real."""
        return "synthetic" if row.is_synthetic else "real"

    @admin.display(description="Age", ordering="-as_of")
    def made(self, row: Quote) -> str | None:
        """Return how old the quote is."""
        return _age(row.as_of)

    @admin.display(description="Last trade", ordering="-last_at")
    def last_trade(self, row: Quote) -> str | None:
        """Return how old the last trade is, where the source says so."""
        return _age(row.last_at)

    @admin.display(description="Nothing trades on it because", ordering="refusal")
    def why(self, row: Quote) -> str:
        """Return why nothing may trade on it, in words."""
        return row.refusal_text


class AcceptForm(ReasonForm):
    """Believe a quarantined price."""

    def perform(self, row: PriceQuarantine) -> Model:
        """Call the service."""
        return quarantine_accept(quarantine=row, origin=self.origin)


class RefuseForm(ReasonForm):
    """Hold a quarantined price to be wrong."""

    def perform(self, row: PriceQuarantine) -> Model:
        """Call the service."""
        return quarantine_refuse(quarantine=row, origin=self.origin)


@admin.register(PriceQuarantine)
class PriceQuarantineAdmin(OperationsAdmin, SourceAdmin):
    """Quarantined prices: those that wait come first."""

    list_display = (
        "instrument", "status", "newest_price", "accepted_price", "cause", "source", "kind", "waits", "resolved_at",
        "resolved_by", "resolution",
    )  # fmt: skip
    list_filter = ("status", "is_synthetic", "source", "opened_at")
    list_select_related = ("instrument", "resolved_by")
    search_fields = ("instrument__symbol", "source", "cause")
    ordering = (Case(When(status=PriceQuarantine.Status.OPEN, then=0), default=1), "-id")
    operations = (
        Operation(
            "accept",
            "Accept the price",
            AcceptForm,
            harm="Cells trade on this price at once, in every portfolio on its source.",
            possible=lambda row: row.status in RESOLVABLE,
        ),
        Operation(
            "refuse",
            "Refuse the price",
            RefuseForm,
            harm="Nothing trades on this instrument until its price comes back near the last accepted one.",
            possible=lambda row: row.status == PriceQuarantine.Status.OPEN,
        ),
    )

    @admin.display(description="Prices", ordering="is_synthetic")
    def kind(self, row: PriceQuarantine) -> str:
        """Say whether they are real."""
        return "synthetic" if row.is_synthetic else "real"

    @admin.display(description="Age", ordering="opened_at")
    def waits(self, row: PriceQuarantine) -> str | None:
        """Return how long ago the price was first seen."""
        return _age(row.opened_at)

    def describe(self, row: PriceQuarantine) -> str:
        """Say what is held back and why."""
        return f"{row.instrument} from {row.source}: {row.cause}; now {row.newest_price.normalize():,f}"


@admin.register(FeedStatus)
class FeedStatusAdmin(SourceAdmin):
    """How each feed does, the silent ones first."""

    list_display = (
        "source", "state", "kind", "asked", "quoted", "errors_in_a_row", "error", "quote_count", "refused_count",
        "refusal", "told_at",
    )  # fmt: skip
    list_filter = (("silent_since", admin.EmptyFieldListFilter), "is_synthetic", "is_delayed")
    search_fields = ("source", "error")

    @admin.display(description="State", ordering="silent_since")
    def state(self, row: FeedStatus) -> str:
        """Say whether it gives prices."""
        if row.silent_since is not None:
            return f"silent for {_age(row.silent_since)}"
        return "failing" if row.errors_in_a_row else "gives prices"

    @admin.display(description="Prices")
    def kind(self, row: FeedStatus) -> str:
        """Say whether they are real, and late."""
        return ("synthetic" if row.is_synthetic else "real") + (", delayed" if row.is_delayed else "")

    @admin.display(description="Asked", ordering="-asked_at")
    def asked(self, row: FeedStatus) -> str | None:
        """Return how long ago it was asked."""
        return _age(row.asked_at)

    @admin.display(description="Newest quote", ordering="-quoted_at")
    def quoted(self, row: FeedStatus) -> str | None:
        """Return how old its newest quote is."""
        return _age(row.quoted_at)


@admin.register(QuoteStatistic)
class QuoteStatisticAdmin(SourceAdmin):
    """How wide and how old quotes were, by day."""

    list_display = (
        "day", "instrument", "source", "count", "mean_spread_bps", "spread_bps_max", "mean_age_seconds",
        "age_seconds_max",
    )  # fmt: skip
    list_filter = ("day", "source", "instrument")
    list_select_related = ("instrument",)
    search_fields = ("instrument__symbol", "source")

    @admin.display(description="Mean spread (bps)")
    def mean_spread_bps(self, row: QuoteStatistic) -> str | None:
        """Return the mean spread."""
        return figure_text(None if row.spread_bps_mean is None else round(row.spread_bps_mean, 2))

    @admin.display(description="Mean age (s)")
    def mean_age_seconds(self, row: QuoteStatistic) -> str | None:
        """Return the mean age."""
        return figure_text(None if row.age_seconds_mean is None else round(row.age_seconds_mean, 2))


@admin.register(PriceTrack)
class PriceTrackAdmin(SourceAdmin):
    """What is remembered of each source's prices."""

    list_display = ("instrument", "source", "accepted", "accepted_at", "sigma_percent", "pending", "held_back")
    list_filter = (("quarantine", admin.EmptyFieldListFilter), "source", "instrument")
    list_select_related = ("instrument", "quarantine")
    search_fields = ("instrument__symbol", "source")

    @admin.display(description="One minute's deviation (%)", ordering="sigma")
    def sigma_percent(self, row: PriceTrack) -> str | None:
        """Return how far the price moves in a minute."""
        return None if row.sigma is None else f"{row.sigma * 100:.3f}"

    @admin.display(description="Held back", ordering="quarantine")
    def held_back(self, row: PriceTrack) -> str:
        """Say whether its newest price is quarantined."""
        return "" if row.quarantine is None else words(row.quarantine.status)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceTrack]:
        """Leave the packed history out."""
        return super().get_queryset(request).defer("history")
