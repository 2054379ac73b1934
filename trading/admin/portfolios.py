"""What trading adds to the console's tables: brokers and feeds to choose from, and a tick by hand."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.accounts import AccountForm, BrokerAccountAdmin, PortfolioAdmin, PortfolioForm
from portfolios.admin.forms import PlainForm, ReasonForm
from portfolios.models import BrokerAccount, Portfolio, TradingRestriction
from trading.admin.halts import HALTING, HaltingAdmin
from trading.brokers.alpaca.settings import AlpacaSettings
from trading.brokers.api import ApiSettings
from trading.brokers.interactive_brokers.settings import InteractiveBrokersSettings
from trading.brokers.paper import PaperSettings
from trading.brokers.registry import broker_names
from trading.feeds.registry import feed_names
from trading.selectors.tick_states import tick_lateness
from trading.services.accounts import account_configure, account_open, portfolio_open
from trading.services.manual_ticks import tick_now
from volbal.common.operations import Operation


class KnownAccountForm(AccountForm):
    """Open an account at a broker there is."""

    broker = forms.ChoiceField(
        choices=[(name, name) for name in broker_names()], help_text="Who carries out its orders"
    )

    def perform(self, row: Any) -> Model:
        """Call the service."""
        return account_open(**self.cleaned_data, origin=self.origin)


class BehaviourForm(ReasonForm):
    """Tell a broker how to behave, or how it is reached: one field for each setting, showing what is in force."""

    kind: ClassVar[type[Any]]
    section: ClassVar[str]

    def prepare(self) -> None:
        """Add the settings' fields before the reason."""
        reason = self.fields.pop("reason")
        kept = self.row.settings.get(self.section, {}) if isinstance(self.row, BrokerAccount) else {}
        for one in dataclasses.fields(self.kind):
            self.fields[one.name] = setting_field(one, kept.get(one.name, one.default))
        self.fields["reason"] = reason

    def perform(self, row: BrokerAccount) -> Model:
        """Call the service."""
        settings = {one.name: self.cleaned_data[one.name] for one in dataclasses.fields(self.kind)}
        return account_configure(account=row, settings=settings, origin=self.origin)


class PaperBehaviourForm(BehaviourForm):
    """Tell a paper account what goes wrong in it."""

    kind, section = PaperSettings, "paper"


class ApiBehaviourForm(BehaviourForm):
    """Say what a broker that works over our API can do."""

    kind, section = ApiSettings, "api"


class AlpacaSettingsForm(BehaviourForm):
    """Say how an account at Alpaca is reached."""

    kind, section = AlpacaSettings, "alpaca"


class InteractiveBrokersSettingsForm(BehaviourForm):
    """Say where the gateway of an account at Interactive Brokers is."""

    kind, section = InteractiveBrokersSettings, "interactive_brokers"


def setting_field(one: dataclasses.Field[Any], value: Any) -> forms.Field:
    """Return the form's field of a broker's setting, with its bounds and its line of explanation."""
    words = one.metadata["words"]
    if isinstance(one.default, bool):
        return forms.BooleanField(required=False, initial=value, help_text=words)
    if isinstance(one.default, tuple):
        choices = [(name, name.replace("_", "-")) for name in one.default]
        return forms.MultipleChoiceField(choices=choices, initial=list(value), help_text=words)
    if isinstance(one.default, str):
        return forms.CharField(required=False, initial=value, help_text=words, max_length=200)
    bounds = {"min_value": one.metadata["least"], "max_value": one.metadata["most"]}
    kind = forms.IntegerField if isinstance(one.default, int) else forms.FloatField
    told = f"{words}. {bounds['min_value']:,} to {bounds['max_value']:,}."
    return kind(initial=value, help_text=told, **bounds)


class KnownAccountAdmin(HaltingAdmin, BrokerAccountAdmin):
    """Accounts at brokers there are, with what halts them."""

    level = TradingRestriction.Level.ACCOUNT
    list_display = (*BrokerAccountAdmin.list_display, "held")
    create_form = KnownAccountForm
    operations: ClassVar[Sequence[Operation]] = (
        *BrokerAccountAdmin.operations,
        *HALTING,
        Operation(
            "paper_behaviour",
            "Set its behaviour",
            PaperBehaviourForm,
            possible=lambda account: account.broker == "paper",
        ),
        Operation(
            "api_behaviour",
            "Say what its broker can do",
            ApiBehaviourForm,
            possible=lambda account: account.broker == "api",
        ),
        Operation(
            "alpaca_settings",
            "Set how Alpaca is reached",
            AlpacaSettingsForm,
            possible=lambda account: account.broker == "alpaca",
        ),
        Operation(
            "interactive_brokers_settings",
            "Set where its gateway is",
            InteractiveBrokersSettingsForm,
            possible=lambda account: account.broker == "interactive_brokers",
        ),
    )


class PresentPortfolioForm(PortfolioForm):
    """Create a portfolio that lives in the present. A replay is started from its own table, with its prices."""

    mode = forms.ChoiceField(
        choices=[(value, label) for value, label in Portfolio.Mode.choices if value != Portfolio.Mode.REPLAY],
        initial=Portfolio.Mode.PAPER,
    )
    feed = forms.ChoiceField(choices=[(name, name) for name in feed_names()], help_text="Where its prices come from")

    def perform(self, row: Any) -> Model:
        """Call the service."""
        return portfolio_open(**self.cleaned_data, origin=self.origin)


class TickForm(PlainForm):
    """Look at portfolios now."""

    def perform(self, row: Portfolio) -> Model:
        """Call the service."""
        tick_now(portfolio=row)
        return row


class TradedPortfolioAdmin(HaltingAdmin, PortfolioAdmin):
    """Portfolios, with what halts them and a tick by hand."""

    level = TradingRestriction.Level.PORTFOLIO
    list_display = (
        *PortfolioAdmin.list_display[:4], "held", "last_tick", "late", "tick_interval_seconds",
        *PortfolioAdmin.list_display[4:],
    )  # fmt: skip
    create_form = PresentPortfolioForm
    list_select_related = (*PortfolioAdmin.list_select_related, "tick_state")
    operations = (
        *HALTING,
        *PortfolioAdmin.operations,
        Operation("tick", "Tick now", TickForm, possible=lambda portfolio: not portfolio.is_archived),
    )

    @admin.display(description="Last tick", ordering="tick_state__last_tick_at")
    def last_tick(self, row: Portfolio) -> dt.datetime | None:
        """Return when it was last looked at."""
        state = getattr(row, "tick_state", None)
        return None if state is None else state.last_tick_at

    @admin.display(description="Late")
    def late(self, row: Portfolio) -> str:
        """Say how late its tick is."""
        return tick_lateness(row).text


admin.site.unregister([BrokerAccount, Portfolio])
admin.site.register(BrokerAccount, KnownAccountAdmin)
admin.site.register(Portfolio, TradedPortfolioAdmin)
