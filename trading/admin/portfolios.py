"""What trading adds to the console's table of portfolios: a tick by hand."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model

from portfolios.admin.accounts import PortfolioAdmin
from portfolios.admin.forms import PlainForm
from portfolios.models import Portfolio
from trading.services.manual_ticks import tick_now
from volbal.common.operations import Operation


class TickForm(PlainForm):
    """Look at portfolios now."""

    def perform(self, row: Portfolio) -> Model:
        """Call the service."""
        tick_now(portfolio=row)
        return row


class TickedPortfolioAdmin(PortfolioAdmin):
    """Portfolios, with a tick by hand."""

    operations = (*PortfolioAdmin.operations, Operation("tick", "Tick now", TickForm))


admin.site.unregister(Portfolio)
admin.site.register(Portfolio, TickedPortfolioAdmin)
