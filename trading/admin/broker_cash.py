"""Cash that moved at brokers without a fill, in the console: what was booked by itself, and what waits for a person."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.forms import ReasonForm
from portfolios.models import Cell
from trading.models import BrokerCash
from trading.services.broker_cash import cash_book, cash_known
from volbal.common.admin import TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin


class BookForm(ReasonForm):
    """Book movements on the account's own cash."""

    def perform(self, row: BrokerCash) -> Model:
        """Call the service."""
        return cash_book(movement=row, origin=self.origin)


class BookOnCellForm(ReasonForm):
    """Book movements on a cell."""

    cell = forms.ModelChoiceField(queryset=Cell.objects.none(), help_text="Whose cash this is")

    def prepare(self) -> None:
        """Offer the cells of the account; for several movements all within reach."""
        cells = Cell.objects.filter(self.within_reach("tenant")).exclude(status=Cell.Status.ARCHIVED)
        if isinstance(self.row, BrokerCash):
            cells = cells.filter(portfolio__account_id=self.row.account_id)
        self.narrow("cell", cells.select_related("instrument"))

    def perform(self, row: BrokerCash) -> Model:
        """Call the service."""
        return cash_book(movement=row, cell=self.cleaned_data["cell"], origin=self.origin)


class KnownForm(ReasonForm):
    """Say that movements are in our books already."""

    def perform(self, row: BrokerCash) -> Model:
        """Call the service."""
        return cash_known(movement=row, origin=self.origin)


def _waits(row: BrokerCash) -> bool:
    return row.status == BrokerCash.Status.OPEN


@admin.register(BrokerCash)
class BrokerCashAdmin(OperationsAdmin, TenantAdmin):
    """What moved cash besides fills, as brokers told it."""

    list_display = (
        "day", "account", "code", "amount", "kind", "status", "symbol", "description", "as_of", "recorded_at",
        "resolved_by", "reason",
    )  # fmt: skip
    list_filter = ("status", "kind", "account", "day")
    list_select_related = ("account", "resolved_by")
    search_fields = ("code", "symbol", "description", "broker_cash_id")
    operations = (
        Operation(
            "book", "Book to the account", BookForm, possible=_waits,
            harm="It moves the account's own cash, that no cell has.",
        ),
        Operation("book_on_cell", "Book on a cell", BookOnCellForm, possible=_waits, harm="It moves the cell's cash."),
        Operation(
            "known", "It is in the books already", KnownForm, possible=_waits,
            harm="Nothing is booked: what the broker has more or less then shows as a difference.",
        ),
    )  # fmt: skip

    def describe(self, row: BrokerCash) -> str:
        """Say what moved, why, and how it stands."""
        return f"{row.account.name}: {row}. {row.description} {row.get_status_display()}".replace("  ", " ")
