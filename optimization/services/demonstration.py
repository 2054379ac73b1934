"""What the demonstration has tried: a finished backtest to open, on the prices that ship with the project."""

from __future__ import annotations

from optimization.models import Backtest
from optimization.services.backtests import backtest_create, backtest_run
from portfolios.models import Tenant
from portfolios.services.origin import Origin
from trading.models import BarSeries

ORIGIN = Origin(task="demonstration")
NAME = "IBM 2000 to 2013, as the replay trades it"
SYMBOL = "IBM"


def demonstration_backtest(*, tenant: Tenant) -> Backtest:
    """Return the demonstration's finished backtest, made on the first call. The tenant must be in scope."""
    row = Backtest.objects.filter(name=NAME).order_by("id").first()
    if row is None:
        series = BarSeries.objects.filter(instrument__symbol=SYMBOL).order_by("-version").first()
        if series is None:
            raise LookupError(f"The demonstration's prices of {SYMBOL} are not loaded; load them first.")
        row = backtest_create(tenant=tenant, series=series, name=NAME, origin=ORIGIN)
    backtest_run(backtest_id=row.pk)
    return Backtest.objects.get(pk=row.pk)
