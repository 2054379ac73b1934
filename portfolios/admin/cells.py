"""Cells in the console: opened, started, paused, archived, paid into and out of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios import services
from portfolios.admin.forms import OwnedForm, PlainForm, ReasonForm
from portfolios.models import Cell, Instrument, Portfolio
from portfolios.selectors import present_moment
from portfolios.services.cells import STEPS
from volbal.common.admin import TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin


class CellForm(OwnedForm):
    """Open a cell by what it holds; parameters start from a preset."""

    portfolio = forms.ModelChoiceField(queryset=Portfolio.objects.none())
    instrument = forms.ModelChoiceField(queryset=Instrument.objects.all())
    name = forms.CharField(max_length=60, required=False, help_text="Tells two cells of one instrument apart")
    price = forms.DecimalField(help_text="What one share costs now")
    cash = forms.DecimalField(initial=Decimal(0))
    shares = forms.DecimalField(initial=Decimal(0))
    anchor = forms.DecimalField(required=False, help_text="Empty leaves it unset; such a cell cannot be started")
    preset = forms.ChoiceField(choices=[(one.name, one.label) for one in services.PRESETS.values()])
    reinvest_dividends = forms.BooleanField(required=False)
    execution = forms.ChoiceField(choices=Cell.Execution.choices)

    def prepare(self) -> None:
        """Offer the portfolios of tenants the person acts in."""
        reachable = Portfolio.objects.filter(self.within_reach("tenant"), is_archived=False)
        self.narrow("portfolio", reachable)

    def perform(self, row: Any) -> Model:
        """Call the service."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "preset"}
        return services.cell_open(
            **values,
            parameters=services.PRESETS[self.cleaned_data["preset"]].values,
            as_of=present_moment(values["portfolio"]),
            origin=self.origin,
        )


class StartForm(PlainForm):
    """Start cells."""

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        return services.cell_start(cell=row, origin=self.origin)


class PauseForm(ReasonForm):
    """Pause cells."""

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        return services.cell_pause(cell=row, origin=self.origin)


class ArchiveForm(ReasonForm):
    """Archive cells."""

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        return services.cell_archive(cell=row, origin=self.origin)


class AmountsForm(ReasonForm):
    """Cash and shares, one or both."""

    cash = forms.DecimalField(initial=Decimal(0))
    shares = forms.DecimalField(initial=Decimal(0))

    @property
    def amounts(self) -> dict[str, Any]:
        """Return the amounts typed."""
        return {"cash": self.cleaned_data["cash"], "shares": self.cleaned_data["shares"]}


class DepositForm(AmountsForm):
    """Deposit to a cell."""

    price = forms.DecimalField(required=False, help_text="What each deposited share cost; needed with shares")

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        price, when = self.cleaned_data["price"], self.moment(row.portfolio)
        return services.cell_deposit(cell=row, **self.amounts, price=price, as_of=when, origin=self.origin)


class WithdrawForm(AmountsForm):
    """Withdraw from a cell."""

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        when = self.moment(row.portfolio)
        return services.cell_withdraw(cell=row, **self.amounts, as_of=when, origin=self.origin)


class AdjustForm(AmountsForm):
    """Correct a cell by signed amounts."""

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        return services.cell_adjust(cell=row, **self.amounts, as_of=self.moment(row.portfolio), origin=self.origin)


class TransferForm(ReasonForm):
    """Move cash between a cell and its account."""

    amount = forms.DecimalField(help_text="From the account to the cell; negative goes back to the account")

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        amount, account = self.cleaned_data["amount"], row.portfolio.account
        source, destination = (account, row) if amount >= 0 else (row, account)
        services.cash_transfer(
            source=source,
            destination=destination,
            amount=abs(amount),
            as_of=self.moment(row.portfolio),
            origin=self.origin,
        )
        return row


class AnchorForm(ReasonForm):
    """Set the anchor by hand."""

    anchor = forms.DecimalField()

    def prepare(self) -> None:
        """Show the present anchor."""
        if isinstance(self.row, Cell):
            self.fields["anchor"].initial = self.row.anchor

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        return services.cell_set_anchor(
            cell=row,
            anchor=self.cleaned_data["anchor"],
            as_of=self.moment(row.portfolio),
            origin=self.origin,
        )


def _can(verb: str) -> Callable[[Cell], bool]:
    """Return whether a cell's status allows a verb."""
    return lambda cell: cell.status in STEPS[verb].origins


class SpreadForm(ReasonForm):
    """Let cells trade up to some spread only."""

    max_spread_bps = forms.DecimalField(
        required=False, help_text="Hundredths of a percent of the mid, above 0; empty takes the limit away"
    )

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        limit = self.cleaned_data["max_spread_bps"]
        return services.cell_set_max_spread(cell=row, max_spread_bps=limit, origin=self.origin)


class ExecutionForm(ReasonForm):
    """Let cells watch their prices, or rest orders at their triggers."""

    execution = forms.ChoiceField(choices=Cell.Execution.choices)

    def prepare(self) -> None:
        """Show the present way."""
        if isinstance(self.row, Cell):
            self.fields["execution"].initial = self.row.execution

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        return services.cell_set_execution(cell=row, execution=self.cleaned_data["execution"], origin=self.origin)


def _is_kept(cell: Cell) -> bool:
    return cell.status != Cell.Status.ARCHIVED


@admin.register(Cell)
class CellAdmin(OperationsAdmin, TenantAdmin):
    """Cells, with what they hold and why they stand still."""

    list_display: ClassVar[tuple[str, ...]] = (
        "cell", "portfolio", "tenant", "status", "status_reason", "cash", "shares", "anchor", "orders_today",
        "execution", "max_spread_bps",
    )  # fmt: skip
    list_filter = ("status", "portfolio__mode", "instrument")
    list_select_related = ("instrument", "portfolio", "tenant")
    search_fields = ("instrument__symbol", "name", "portfolio__name")
    create_form = CellForm
    operations: ClassVar[Sequence[Operation]] = (
        Operation("start", "Start", StartForm, possible=_can("started")),
        Operation(
            "pause",
            "Pause",
            PauseForm,
            harm="These cells do not trade until they are started again.",
            possible=_can("paused"),
        ),
        Operation(
            "archive",
            "Archive",
            ArchiveForm,
            harm="These cells never trade again; their books stay to be read.",
            possible=_can("archived"),
        ),
        Operation("deposit", "Deposit", DepositForm, possible=_is_kept),
        Operation("withdraw", "Withdraw", WithdrawForm),
        Operation("transfer", "Transfer cash", TransferForm),
        Operation("adjust", "Adjust", AdjustForm),
        Operation("anchor", "Set anchor", AnchorForm, possible=_is_kept),
        Operation("spread", "Limit the spread", SpreadForm, possible=_is_kept),
        Operation("execution", "Set how it trades", ExecutionForm, possible=_is_kept),
    )

    @admin.display(ordering="instrument__symbol")
    def cell(self, row: Cell) -> str:
        """Return its instrument, and its name where it has one."""
        return str(row)

    def describe(self, row: Cell) -> str:
        """Say which cell it is and what it holds."""
        status = row.get_status_display().lower()
        return f"{row} in {row.portfolio}: {status}, {row.cash:,} cash, {row.shares.normalize():,f} shares"
