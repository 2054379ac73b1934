"""Prices and corporate actions, which the whole installation shares."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from portfolios.admin.forms import PlainForm, ReasonForm
from trading.admin.actions import ActionCorrectForm, ActionImportForm, ActionWithdrawForm
from trading.marketdata.catalogue import series_check
from trading.marketdata.quality import GRADES
from trading.models import ActionApplication, ActionRevision, BarSeries, CorporateAction
from trading.services.cash_in_lieu import cash_in_lieu_book, cash_in_lieu_correct
from volbal.common import clock
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
class CorporateActionAdmin(OperationsAdmin, SharedAdmin):
    """Dividends and splits as announced: bring them in from a file, correct one, withdraw one."""

    list_display = (
        "instrument", "kind", "ex_date", "pay_date", "amount", "ratio", "source", "revision", "is_withdrawn",
    )  # fmt: skip
    list_filter = ("kind", "is_withdrawn", ("pay_date", admin.EmptyFieldListFilter), "instrument", "ex_date")
    list_select_related = ("instrument",)
    search_fields = ("instrument__symbol", "source")
    create_form = ActionImportForm
    operations = (
        Operation(
            "correct",
            "Correct",
            ActionCorrectForm,
            harm="Every cell that took it books the opposite of each entry, and then what is right.",
            possible=lambda action: not action.is_withdrawn,
        ),
        Operation(
            "withdraw",
            "Withdraw",
            ActionWithdrawForm,
            harm="Every cell that took it books the opposite of each entry, paid dividends too.",
            possible=lambda action: not action.is_withdrawn,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CorporateAction]:
        """Return withdrawn actions too."""
        return CorporateAction.with_withdrawn.select_related("instrument").order_by("-ex_date", "instrument__symbol")

    def describe(self, row: Any) -> str:
        """Say which action it is and what it gives."""
        paid = f", paid {row.pay_date}" if row.pay_date else ""
        state = ", withdrawn" if row.is_withdrawn else ""
        return f"{row.instrument}: {row} of {row.terms}{paid}{state}"


@admin.register(ActionRevision)
class ActionRevisionAdmin(SharedAdmin):
    """What dividends and splits were announced as, from one moment on."""

    list_display = (
        "recorded_at", "instrument", "action", "number", "ex_date", "pay_date", "amount", "ratio", "is_withdrawn",
        "source", "reason", "actor", "task",
    )  # fmt: skip
    ordering = ("-id",)
    list_filter = ("is_withdrawn", "action__kind", "recorded_at")
    list_select_related = ("action__instrument", "actor")
    search_fields = ("action__instrument__symbol", "reason", "source")

    @admin.display(ordering="action__instrument__symbol")
    def instrument(self, row: ActionRevision) -> str:
        """Return whose dividend or split it is."""
        return str(row.action.instrument)


class StandingFilter(admin.SimpleListFilter):
    """Applications by what is still to come of them, or was unusual."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the questions that operators ask."""
        return [
            ("unpaid", "Unpaid"),
            ("due", "Due today"),
            ("undated", "No pay date known"),
            ("late", "Learned late"),
            ("corrected", "Corrected"),
        ]

    def queryset(self, request: HttpRequest, rows: QuerySet[ActionApplication]) -> QuerySet[ActionApplication]:
        """Return the applications that were asked for."""
        unpaid = rows.filter(paid_at__isnull=True).exclude(net=0)
        narrowed = {
            "unpaid": unpaid,
            "due": unpaid.filter(pay_date__lte=clock.now().date()),
            "undated": unpaid.filter(pay_date__isnull=True),
            "late": rows.filter(learned_late=True),
            "corrected": rows.filter(corrected_at__isnull=False),
        }
        return narrowed.get(self.value() or "", rows)


class CashInLieuForm(ReasonForm):
    """Book what the broker paid for a split's fraction."""

    amount = forms.DecimalField(min_value=Decimal("0.01"), decimal_places=2, max_digits=20)

    def perform(self, row: ActionApplication) -> Model:
        """Call the service."""
        when = self.moment(row.cell.portfolio)
        cash_in_lieu_book(application=row, amount=self.cleaned_data["amount"], as_of=when, origin=self.origin)
        return row


class CashInLieuCorrectionForm(ReasonForm):
    """Correct what was booked for a split's fraction, by the opposite entry and a new one."""

    amount = forms.DecimalField(
        min_value=Decimal(0), decimal_places=2, max_digits=20, help_text="What is right; 0 where nothing was paid"
    )

    def perform(self, row: ActionApplication) -> Model:
        """Call the service."""
        when = self.moment(row.cell.portfolio)
        cash_in_lieu_correct(application=row, amount=self.cleaned_data["amount"], as_of=when, origin=self.origin)
        return row


@admin.register(ActionApplication)
class ActionApplicationAdmin(OperationsAdmin, TenantAdmin):
    """How each cell took a dividend or a split."""

    list_display = (
        "as_of", "cell", "action", "shares", "gross", "tax", "net", "pay_date", "paid_at", "learned_late", "booking",
        "corrected_at", "anchor_before", "anchor_after",
    )  # fmt: skip
    list_filter = (StandingFilter, "action__kind", "as_of")
    list_select_related = ("cell__instrument", "action")
    search_fields = ("cell__instrument__symbol",)
    operations = (
        Operation(
            "cash_in_lieu",
            "Book cash in lieu",
            CashInLieuForm,
            possible=lambda application: application.action.kind == CorporateAction.Kind.SPLIT,
        ),
        Operation(
            "cash_in_lieu_correct",
            "Correct cash in lieu",
            CashInLieuCorrectionForm,
            possible=lambda application: application.action.kind == CorporateAction.Kind.SPLIT,
        ),
    )
