"""Prices and corporate actions, which the whole installation shares."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from portfolios.admin.forms import PlainForm, ReasonForm
from trading.marketdata.catalogue import series_check
from trading.marketdata.quality import GRADES
from trading.models import ActionApplication, ActionRevision, BarSeries, CorporateAction
from trading.services.cash_in_lieu import cash_in_lieu_book
from volbal.common.admin import SharedAdmin, TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin


class GradeFilter(admin.SimpleListFilter):
    """Bars by the word of their quality report."""

    title = "quality"
    parameter_name = "grade"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer every grade."""
        return [*((grade, grade.capitalize()) for grade in GRADES), ("unchecked", "Unchecked")]

    def queryset(self, request: HttpRequest, rows: QuerySet[BarSeries]) -> QuerySet[BarSeries]:
        """Return the bars of the grade that was chosen."""
        if self.value() is None:
            return rows
        if self.value() == "unchecked":
            return rows.filter(quality__grade__isnull=True)
        return rows.filter(quality__grade=self.value())


class CheckForm(PlainForm):
    """Check bars again with the dividends and splits known now."""

    def perform(self, row: BarSeries) -> Model:
        """Call the service."""
        return series_check(series=row, origin=self.origin)


@admin.register(BarSeries)
class BarSeriesAdmin(OperationsAdmin, SharedAdmin):
    """Catalogued bars with what is odd about them. A correction is a new version."""

    list_display = (
        "instrument", "resolution", "version", "quality_line", "source", "is_synthetic", "first", "last", "rows",
        "sha256",
    )  # fmt: skip
    list_filter = ("resolution", GradeFilter, "is_synthetic", "source", "instrument")
    list_select_related = ("instrument",)
    search_fields = ("instrument__symbol", "source", "sha256")
    operations = (Operation("check", "Check again", CheckForm),)

    @admin.display(description="Quality")
    def quality_line(self, row: BarSeries) -> str:
        """Return the report in a line."""
        return str(row.quality.get("sentence", "not checked yet")).capitalize()

    def describe(self, row: Any) -> str:
        """Say which bars they are and what is odd about them."""
        return f"{row}: {self.quality_line(row)}"


@admin.register(CorporateAction)
class CorporateActionAdmin(SharedAdmin):
    """Dividends and splits as announced."""

    list_display = (
        "instrument", "kind", "ex_date", "pay_date", "amount", "ratio", "source", "revision", "is_withdrawn",
    )  # fmt: skip
    list_filter = ("kind", "is_withdrawn", "instrument", "ex_date")
    list_select_related = ("instrument",)
    search_fields = ("instrument__symbol", "source")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CorporateAction]:
        """Return withdrawn actions too."""
        return CorporateAction.with_withdrawn.order_by("-ex_date", "instrument__symbol")


@admin.register(ActionRevision)
class ActionRevisionAdmin(SharedAdmin):
    """What dividends and splits were announced as, from one moment on."""

    list_display = (
        "recorded_at", "instrument", "action", "number", "ex_date", "pay_date", "amount", "ratio", "is_withdrawn",
        "source", "reason", "actor", "task",
    )  # fmt: skip
    list_filter = ("is_withdrawn", "action__kind", "recorded_at")
    list_select_related = ("action__instrument", "actor")
    search_fields = ("action__instrument__symbol", "reason", "source")

    @admin.display(ordering="action__instrument__symbol")
    def instrument(self, row: ActionRevision) -> str:
        """Return whose dividend or split it is."""
        return str(row.action.instrument)


class CashInLieuForm(ReasonForm):
    """Book what the broker paid for a split's fraction."""

    amount = forms.DecimalField(min_value=Decimal("0.01"), decimal_places=2, max_digits=20)

    def perform(self, row: ActionApplication) -> Model:
        """Call the service."""
        when = self.moment(row.cell.portfolio)
        cash_in_lieu_book(application=row, amount=self.cleaned_data["amount"], as_of=when, origin=self.origin)
        return row


@admin.register(ActionApplication)
class ActionApplicationAdmin(OperationsAdmin, TenantAdmin):
    """How each cell took a dividend or a split."""

    list_display = (
        "as_of", "cell", "action", "shares", "gross", "tax", "net", "pay_date", "paid_at", "anchor_before",
        "anchor_after",
    )  # fmt: skip
    list_filter = ("action__kind", ("paid_at", admin.EmptyFieldListFilter), "as_of")
    list_select_related = ("cell__instrument", "action")
    search_fields = ("cell__instrument__symbol",)
    operations = (
        Operation(
            "cash_in_lieu",
            "Book cash in lieu",
            CashInLieuForm,
            possible=lambda application: application.action.kind == CorporateAction.Kind.SPLIT,
        ),
    )
