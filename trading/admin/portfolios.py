"""What trading adds to the console's tables: brokers and feeds to choose from, and a tick by hand."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.accounts import AccountForm, BrokerAccountAdmin, PortfolioAdmin, PortfolioForm
from portfolios.admin.forms import PlainForm
from portfolios.models import BrokerAccount, Portfolio
from trading.brokers.registry import broker_names
from trading.feeds.registry import feed_names
from trading.services.manual_ticks import tick_now
from volbal.common.operations import Operation


class KnownAccountForm(AccountForm):
    """Open an account at a broker there is."""

    broker = forms.ChoiceField(
        choices=[(name, name) for name in broker_names()], help_text="Who carries out its orders"
    )


class KnownAccountAdmin(BrokerAccountAdmin):
    """Accounts at brokers there are."""

    create_form = KnownAccountForm


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


class TradedPortfolioAdmin(PortfolioAdmin):
    """Portfolios, with a tick by hand."""

    create_form = PresentPortfolioForm
    operations = (
        *PortfolioAdmin.operations,
        Operation("tick", "Tick now", TickForm, possible=lambda portfolio: not portfolio.is_archived),
    )


admin.site.unregister([BrokerAccount, Portfolio])
admin.site.register(BrokerAccount, KnownAccountAdmin)
admin.site.register(Portfolio, TradedPortfolioAdmin)
