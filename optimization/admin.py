"""Backtests in the console: what was tried, by whom, and how it ended. Read only but for cancelling."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model

from optimization.models import Backtest
from optimization.services.backtests import backtest_cancel
from portfolios.admin.forms import PlainForm
from volbal.common.admin import TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin


class CancelForm(PlainForm):
    """Cancel what waits or runs."""

    def perform(self, row: Backtest) -> Model:
        """Call the service."""
        return backtest_cancel(backtest=row, origin=self.origin)


@admin.register(Backtest)
class BacktestAdmin(OperationsAdmin, TenantAdmin):
    """Backtests, newest first."""

    list_display = ("name", "tenant", "instrument", "state", "trades", "created_by", "created_at", "finished_at")
    list_filter = ("state", "tenant", "created_at")
    list_select_related = ("tenant", "instrument", "created_by")
    search_fields = ("name", "instrument__symbol", "error")
    operations = (Operation("cancel", "Cancel", CancelForm, harm="What it has computed so far is dropped."),)

    def describe(self, row: Any) -> str:
        """Say which backtest it is and how far."""
        return f"{row.name}: {row.get_state_display().lower()}"

    @admin.display(description="Trades")
    def trades(self, row: Backtest) -> int | None:
        """Return how many orders it filled; None until it is completed."""
        count: int | None = row.measures.get("trades")
        return count
