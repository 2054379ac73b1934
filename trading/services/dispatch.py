"""What is due: found across all tenants, in a fixed number of queries."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from portfolios.models import BrokerAccount, Portfolio
from trading.models import AccountReconciliation, Order, ReplayRun
from trading.services.replays import steps_due
from volbal.common import clock

# How long an agreement with a broker is taken for granted.
RECONCILE_WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class DueTick:
    """A tick that one dispatcher has claimed; `due` is the moment since when it is wanted."""

    tenant_id: int
    portfolio_id: int
    due: dt.datetime


def replays_due() -> list[ReplayRun]:
    """Return running replays that are behind their pace."""
    moment = clock.now()
    running = ReplayRun.objects.filter(status=ReplayRun.Status.RUNNING, portfolio__is_archived=False)
    return [run for run in running if steps_due(run, moment)]


def portfolios_claim_due() -> list[DueTick]:
    """Return the ticks of portfolios of the present whose interval has passed, each claimed by setting its next time.

    Compare-and-set: of two dispatchers only one gets a portfolio.
    """
    moment = clock.now()
    waiting = Portfolio.objects.filter(is_archived=False, next_tick_at__lte=moment)
    claimed = []
    for portfolio in waiting.exclude(mode=Portfolio.Mode.REPLAY):
        due = portfolio.next_tick_at
        following = moment + dt.timedelta(seconds=portfolio.tick_interval_seconds)
        same = Portfolio.objects.filter(pk=portfolio.pk, next_tick_at=due)
        if due is not None and same.update(next_tick_at=following) == 1:
            claimed.append(DueTick(portfolio.tenant_id, portfolio.pk, due))
    return claimed


def accounts_to_reconcile() -> list[BrokerAccount]:
    """Return accounts that wait for agreement with their broker, or were last compared a window ago."""
    before = clock.now() - dt.timedelta(seconds=RECONCILE_WINDOW_SECONDS)
    settled = AccountReconciliation.objects.filter(
        status=AccountReconciliation.Status.AGREES, checked_at__gte=before
    ).values("account_id")
    held = Portfolio.objects.filter(is_archived=False).order_by().values("account_id").distinct()
    return list(BrokerAccount.objects.filter(pk__in=held).exclude(pk__in=settled).order_by("id"))


def accounts_with_open_orders() -> list[BrokerAccount]:
    """Return accounts that have orders which have not ended."""
    open_orders = Order.objects.exclude(status__in=Order.ENDED).order_by().values("account_id").distinct()
    return list(BrokerAccount.objects.filter(pk__in=open_orders))
