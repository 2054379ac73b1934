"""What trading adds to the console's table of portfolios: feeds to choose from, and a tick by hand."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.accounts import PortfolioAdmin, PortfolioForm
from portfolios.admin.forms import PlainForm
from portfolios.models import Portfolio
from trading.feeds.registry import feed_names
from trading.services.manual_ticks import tick_now
from volbal.common.operations import Operation


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


admin.site.unregister(Portfolio)
admin.site.register(Portfolio, TradedPortfolioAdmin)
