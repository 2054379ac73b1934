"""Accounts, portfolios and instruments in the console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios import services
from portfolios.admin.forms import OwnedForm, ReasonForm
from portfolios.models import BrokerAccount, Instrument, Portfolio, Tenant
from volbal.common.admin import SharedAdmin, TenantAdmin
from volbal.common.clock import now
from volbal.common.operations import Operation, OperationsAdmin


class AccountForm(OwnedForm):
    """Open an account."""

    tenant = forms.ModelChoiceField(queryset=Tenant.objects.none())
    name = forms.CharField(max_length=120)
    broker: forms.Field = forms.CharField(max_length=24, help_text="Who carries out its orders")
    currency = forms.CharField(max_length=3, initial="USD")
    is_live = forms.BooleanField(required=False, help_text="Its orders move real money")

    def prepare(self) -> None:
        """Offer the tenants the person acts in."""
        self.narrow("tenant", Tenant.objects.filter(self.within_reach("pk")))

    def perform(self, row: Any) -> Model:
        """Call the service."""
        return services.account_create(**self.cleaned_data, origin=self.origin)


class AccountCashForm(ReasonForm):
    """An amount of an account's own cash."""

    amount = forms.DecimalField()


class AccountDepositForm(AccountCashForm):
    """Pay into an account."""

    def perform(self, row: BrokerAccount) -> Model:
        """Call the service."""
        return services.account_deposit(
            account=row, amount=self.cleaned_data["amount"], as_of=now(), origin=self.origin
        )


class AccountWithdrawForm(AccountCashForm):
    """Pay out of an account."""

    def perform(self, row: BrokerAccount) -> Model:
        """Call the service."""
        return services.account_withdraw(
            account=row, amount=self.cleaned_data["amount"], as_of=now(), origin=self.origin
        )


class AccountCredentialsForm(ReasonForm):
    """Set what an account shows to its broker. What is stored is never shown again."""

    key_id = forms.CharField(
        max_length=200,
        label="Key ID",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="As the broker shows it. What is stored is encrypted and never shown again but for its end.",
    )
    secret_key = forms.CharField(
        max_length=200, label="Secret key", widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )

    def perform(self, row: BrokerAccount) -> Model:
        """Call the service."""
        values = {name: self.cleaned_data[name] for name in ("key_id", "secret_key")}
        return services.account_set_credentials(account=row, values=values, origin=self.origin)


class AccountForgetForm(ReasonForm):
    """Forget an account's keys."""

    def perform(self, row: BrokerAccount) -> Model:
        """Call the service."""
        return services.account_remove_credentials(account=row, origin=self.origin)


@admin.register(BrokerAccount)
class BrokerAccountAdmin(OperationsAdmin, TenantAdmin):
    """Accounts at brokers."""

    list_display: ClassVar[Sequence[str]] = (
        "name", "tenant", "broker", "currency", "is_live", "unallocated_cash", "credentials_hint", "credentials_set_at",
    )  # fmt: skip
    list_filter = ("broker", "currency")
    list_select_related = ("tenant",)
    search_fields = ("name",)
    create_form = AccountForm
    operations: ClassVar[Sequence[Operation]] = (
        Operation("deposit", "Deposit cash", AccountDepositForm),
        Operation("withdraw", "Withdraw cash", AccountWithdrawForm),
        Operation("credentials", "Set keys", AccountCredentialsForm),
        Operation(
            "forget",
            "Forget keys",
            AccountForgetForm,
            harm="Their broker is not reached until keys are set again: open orders there go on working.",
            possible=lambda account: account.credentials != "",
        ),
    )

    def describe(self, row: BrokerAccount) -> str:
        """Say what the account has."""
        keys = f"keys {row.credentials_hint}" if row.credentials else "no keys"
        return f"{row.name}: {row.unallocated_cash:,} {row.currency} not given to a cell, {keys}"


class PortfolioForm(OwnedForm):
    """Create a portfolio."""

    account = forms.ModelChoiceField(queryset=BrokerAccount.objects.none())
    name = forms.CharField(max_length=120)
    mode = forms.ChoiceField(choices=Portfolio.Mode.choices, initial=Portfolio.Mode.PAPER)
    feed: forms.Field = forms.CharField(max_length=24, help_text="Where its prices come from")
    trading_hours = forms.ChoiceField(choices=Portfolio.TradingHours.choices)
    tick_interval_seconds = forms.IntegerField(initial=60, min_value=1)
    tick_on_quotes = forms.BooleanField(required=False, help_text="A new quote of what it holds wakes it as well")

    def prepare(self) -> None:
        """Offer the accounts of tenants the person acts in."""
        self.narrow("account", BrokerAccount.objects.filter(self.within_reach("tenant")))

    def perform(self, row: Any) -> Model:
        """Call the service."""
        return services.portfolio_create(**self.cleaned_data, origin=self.origin)


class PortfolioTicksForm(ReasonForm):
    """Say how often a portfolio is looked at."""

    tick_interval_seconds = forms.IntegerField(min_value=1)
    tick_on_quotes = forms.BooleanField(required=False, help_text="A new quote of what it holds wakes it as well")

    def prepare(self) -> None:
        """Fill in what is set now."""
        if isinstance(self.row, Portfolio):
            for name in ("tick_interval_seconds", "tick_on_quotes"):
                self.fields[name].initial = getattr(self.row, name)

    def perform(self, row: Portfolio) -> Model:
        """Call the service."""
        return services.portfolio_set_ticks(
            portfolio=row,
            tick_interval_seconds=self.cleaned_data["tick_interval_seconds"],
            tick_on_quotes=self.cleaned_data["tick_on_quotes"],
            origin=self.origin,
        )


class PortfolioArchiveForm(ReasonForm):
    """Archive a portfolio."""

    def perform(self, row: Portfolio) -> Model:
        """Call the service."""
        return services.portfolio_archive(portfolio=row, origin=self.origin)


@admin.register(Portfolio)
class PortfolioAdmin(OperationsAdmin, TenantAdmin):
    """Portfolios."""

    list_display: ClassVar[Sequence[str]] = (
        "name",
        "tenant",
        "account",
        "mode",
        "trading_hours",
        "next_tick_at",
        "archived",
    )
    list_filter = ("mode", "is_archived", "trading_hours")
    list_select_related: ClassVar[Sequence[str]] = ("tenant", "account")
    search_fields = ("name",)
    create_form = PortfolioForm
    operations: ClassVar[Sequence[Operation]] = (
        Operation(
            "ticks",
            "Set ticks",
            PortfolioTicksForm,
            possible=lambda portfolio: not portfolio.is_archived and portfolio.mode != Portfolio.Mode.REPLAY,
        ),
        Operation(
            "archive",
            "Archive",
            PortfolioArchiveForm,
            harm="These portfolios and all their cells never trade again; their books stay to be read.",
            possible=lambda portfolio: not portfolio.is_archived,
        ),
    )

    @admin.display(ordering="is_archived")
    def archived(self, row: Portfolio) -> str:
        """Say whether it is put away."""
        return "archived" if row.is_archived else ""

    def describe(self, row: Portfolio) -> str:
        """Say which portfolio it is."""
        return f"{row.name}: {row.get_mode_display().lower()}"


class InstrumentForm(OwnedForm):
    """Create an instrument."""

    symbol = forms.CharField(max_length=16)
    name = forms.CharField(max_length=120)
    exchange = forms.CharField(max_length=8, initial="XNYS", help_text="ISO 10383 code")
    currency = forms.CharField(max_length=3, initial="USD")

    def perform(self, row: Any) -> Model:
        """Call the service."""
        return services.instrument_create(**self.cleaned_data, origin=self.origin)


@admin.register(Instrument)
class InstrumentAdmin(OperationsAdmin, SharedAdmin):
    """What can be held."""

    list_display = ("symbol", "name", "exchange", "currency")
    list_filter = ("exchange", "currency")
    search_fields = ("symbol", "name")
    create_form = InstrumentForm
