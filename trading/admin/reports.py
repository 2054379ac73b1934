"""Brokers' reports that wait for a person: fills without an order of ours, and what makes no sense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.forms import PlainForm, ReasonForm
from portfolios.models import Cell
from trading.models import HeldFill, HeldFillResolution, RefusedReport
from trading.services.held_fills import held_fill_adopt, held_fill_ignore
from trading.services.refused_reports import refused_report_dismiss, refused_report_retry
from volbal.common.admin import TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin
from volbal.common.templatetags.figures import words


class AdoptForm(ReasonForm):
    """Book fills on a cell."""

    cell = forms.ModelChoiceField(queryset=Cell.objects.none(), help_text="Whose shares these are")
    re_anchor = False

    def preview(self, rows: Sequence[Any]) -> Sequence[str]:
        """Say what is booked."""
        anchor = "its anchor moves to the fill's price" if self.re_anchor else "its anchor stays where it is"
        return [f"Shares, cash and commission are booked on the cell, as if it had ordered them; {anchor}."]

    def prepare(self) -> None:
        """Offer the cells of the fill's account and instrument; for several fills all within reach."""
        cells = Cell.objects.filter(self.within_reach("tenant")).exclude(status=Cell.Status.ARCHIVED)
        if isinstance(self.row, HeldFill):
            cells = cells.filter(portfolio__account_id=self.row.account_id, instrument__symbol=self.row.symbol)
        self.narrow("cell", cells.select_related("instrument"))

    def perform(self, row: HeldFill) -> Model:
        """Call the service."""
        cell = self.cleaned_data["cell"]
        return held_fill_adopt(held=row, cell=cell, origin=self.origin, re_anchor=self.re_anchor)


class ReAnchorForm(AdoptForm):
    """Book fills on a cell and set its anchor to their price."""

    re_anchor = True


class IgnoreForm(ReasonForm):
    """Leave fills out of our books."""

    def perform(self, row: HeldFill) -> Model:
        """Call the service."""
        return held_fill_ignore(held=row, origin=self.origin)


def _waits(row: HeldFill) -> bool:
    return not hasattr(row, "resolution")


@admin.register(HeldFill)
class HeldFillAdmin(OperationsAdmin, TenantAdmin):
    """Fills without an order."""

    list_display = (
        "as_of", "account", "side", "symbol", "quantity", "price", "decided", "broker_order_id", "client_order_id",
        "broker_fill_id", "recorded_at",
    )  # fmt: skip
    list_filter = (("resolution", admin.EmptyFieldListFilter), "account", "symbol", "as_of")
    list_select_related = ("account", "resolution")
    search_fields = ("symbol", "broker_fill_id", "broker_order_id", "client_order_id")
    operations = (
        Operation("adopt", "Adopt", AdoptForm, possible=_waits),
        Operation("re_anchor", "Adopt and set the anchor to its price", ReAnchorForm, possible=_waits),
        Operation(
            "ignore", "Ignore", IgnoreForm, possible=_waits,
            harm="The broker then has more or less than our books say: reconciliation will show it.",
        ),
    )  # fmt: skip

    def describe(self, row: HeldFill) -> str:
        """Say what traded, where, and what was decided."""
        return (
            f"{row.side.capitalize()} {row.quantity.normalize():f} {row.symbol} at {row.price.normalize():f} "
            f"{row.account.currency}, {row.account}, {row.as_of:%Y-%m-%d %H:%M} UTC: {self.decided(row).lower()}"
        )

    @admin.display(description="Decision", ordering="resolution__decision")
    def decided(self, row: HeldFill) -> str:
        """Return what was decided."""
        return "Waits for a person" if _waits(row) else str(row.resolution)


@admin.register(HeldFillResolution)
class HeldFillResolutionAdmin(TenantAdmin):
    """What people decided about them."""

    list_display = ("recorded_at", "held", "decision", "fill", "actor", "reason")
    list_filter = ("decision", "recorded_at")
    list_select_related = ("held", "fill", "actor")


class RetryForm(PlainForm):
    """Take reports as if they came now."""

    def perform(self, row: RefusedReport) -> Model:
        """Call the service."""
        return refused_report_retry(report=row, origin=self.origin)


class DismissForm(ReasonForm):
    """Put reports away."""

    def perform(self, row: RefusedReport) -> Model:
        """Call the service."""
        return refused_report_dismiss(report=row, origin=self.origin)


def _is_open(row: RefusedReport) -> bool:
    return row.status == RefusedReport.Status.OPEN


@admin.register(RefusedReport)
class RefusedReportAdmin(OperationsAdmin, TenantAdmin):
    """Reports that make no sense, kept as they came."""

    list_display = ("last_at", "account", "why", "sentence", "repetitions", "status", "reason", "first_at")
    list_filter = ("status", "code", "account", "last_at")
    list_select_related = ("account",)
    search_fields = ("sentence", "payload")
    operations = (
        Operation("retry", "Try again", RetryForm, possible=_is_open),
        Operation(
            "dismiss", "Dismiss", DismissForm, possible=_is_open,
            harm="Nothing of it will be booked. It is kept, with the reason.",
        ),
    )  # fmt: skip

    def describe(self, row: RefusedReport) -> str:
        """Say why it was refused, how often it came, and how it stands."""
        return f"{row.sentence} Came {row.repetitions} times; {row.get_status_display().lower()}"

    @admin.display(description="Why", ordering="code")
    def why(self, row: RefusedReport) -> str:
        """Return the reason in words."""
        return words(row.code)
