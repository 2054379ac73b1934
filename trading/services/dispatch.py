"""What is due: found across all tenants, in a fixed number of queries."""

from __future__ import annotations

import datetime as dt

from portfolios.models import BrokerAccount, Portfolio
from trading.models import Order, ReplayRun
from trading.services.replays import steps_due
from volbal.common import clock


def replays_due() -> list[ReplayRun]:
    """Return running replays that are behind their pace."""
    moment = clock.now()
    running = ReplayRun.objects.filter(status=ReplayRun.Status.RUNNING)
    return [run for run in running if steps_due(run, moment)]


def portfolios_claim_due() -> list[Portfolio]:
    """Return portfolios of the present whose interval has passed, each claimed by setting its next time.

    Compare-and-set: of two dispatchers only one gets a portfolio.
    """
    moment = clock.now()
    due = Portfolio.objects.filter(is_archived=False, next_tick_at__lte=moment)
    claimed = []
    for portfolio in due.exclude(mode=Portfolio.Mode.REPLAY):
        following = moment + dt.timedelta(seconds=portfolio.tick_interval_seconds)
        same = Portfolio.objects.filter(pk=portfolio.pk, next_tick_at=portfolio.next_tick_at)
        if same.update(next_tick_at=following) == 1:
            claimed.append(portfolio)
    return claimed


def accounts_with_open_orders() -> list[BrokerAccount]:
    """Return accounts that have orders which have not ended."""
    open_orders = Order.objects.exclude(status__in=Order.ENDED).order_by().values("account_id").distinct()
    return list(BrokerAccount.objects.filter(pk__in=open_orders))
