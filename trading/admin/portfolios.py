"""What trading adds to the console's tables: brokers and feeds to choose from, and a tick by hand."""

from __future__ import annotations

import datetime as dt

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.accounts import AccountForm, BrokerAccountAdmin, PortfolioAdmin, PortfolioForm
from portfolios.admin.forms import PlainForm
from portfolios.models import BrokerAccount, Portfolio, TradingRestriction
from trading.admin.halts import HALTING, HaltingAdmin
from trading.brokers.registry import broker_names
from trading.feeds.registry import feed_names
from trading.selectors.tick_states import tick_lateness
from trading.services.manual_ticks import tick_now
from volbal.common.operations import Operation


class KnownAccountForm(AccountForm):
    """Open an account at a broker there is."""

    broker = forms.ChoiceField(
        choices=[(name, name) for name in broker_names()], help_text="Who carries out its orders"
    )


class KnownAccountAdmin(HaltingAdmin, BrokerAccountAdmin):
    """Accounts at brokers there are, with what halts them."""

    level = TradingRestriction.Level.ACCOUNT
    list_display = (*BrokerAccountAdmin.list_display, "held")
    create_form = KnownAccountForm
    operations = (*BrokerAccountAdmin.operations, *HALTING)


class PresentPortfolioForm(PortfolioForm):
    """Create a portfolio that lives in the present. A replay is started from its own table, with its prices."""

    mode = forms.ChoiceField(
        choices=[(value, label) for value, label in Portfolio.Mode.choices if value != Portfolio.Mode.REPLAY],
        initial=Portfolio.Mode.PAPER,
    )
    feed = forms.ChoiceField(choices=[(name, name) for name in feed_names()], help_text="Where its prices come from")


class TickForm(PlainForm):
    """Look at portfolios now."""

    def perform(self, row: Portfolio) -> Model:
        """Call the service."""
        tick_now(portfolio=row)
        return row


class TradedPortfolioAdmin(HaltingAdmin, PortfolioAdmin):
    """Portfolios, with what halts them and a tick by hand."""

    level = TradingRestriction.Level.PORTFOLIO
    list_display = (*PortfolioAdmin.list_display[:5], "held", *PortfolioAdmin.list_display[5:])
    create_form = PresentPortfolioForm
    list_display = (*PortfolioAdmin.list_display, "tick_interval_seconds", "last_tick", "late")
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
