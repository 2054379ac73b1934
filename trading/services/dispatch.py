"""What is due: found across all tenants, in a fixed number of queries."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from portfolios.models import BrokerAccount, Portfolio
from trading.models import AccountReconciliation, Order, OrderPlan, ReplayRun
from trading.services.replays import steps_due
from volbal.common import clock

# How long an agreement with a broker is taken for granted.
RECONCILE_WINDOW_SECONDS = 60

# The dispatcher comes once a second, sometimes a little early or late: what is due within half of that is due now, so
# that a portfolio of one second is found at each coming.
LOOK_AHEAD = dt.timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class DueTick:
    """A tick that one dispatcher has claimed; `due` is the moment since when it is wanted."""

    tenant_id: int
    portfolio_id: int
    due: dt.datetime
    interval_seconds: int


def replays_due() -> list[ReplayRun]:
    """Return running replays that are behind their pace."""
    moment = clock.now()
    running = ReplayRun.objects.filter(status=ReplayRun.Status.RUNNING, portfolio__is_archived=False)
    return [run for run in running if steps_due(run, moment)]


def portfolios_claim_due() -> list[DueTick]:
    """Return the ticks of portfolios of the present whose interval has passed, each claimed by setting its next time.

    Of two dispatchers only one gets a portfolio: the other skips rows that are held. Three statements, however many.
    """
    moment = clock.now()
    waiting = Portfolio.objects.filter(is_archived=False, next_tick_at__lte=moment + LOOK_AHEAD)
    with transaction.atomic():
        free = waiting.select_for_update(of=("self",), no_key=True, skip_locked=True)
        portfolios = list(free.exclude(mode=Portfolio.Mode.REPLAY).order_by("id"))
        claimed = []
        for portfolio in portfolios:
            if portfolio.next_tick_at is not None:
                interval = portfolio.tick_interval_seconds
                due = min(portfolio.next_tick_at, moment)
                claimed.append(DueTick(portfolio.tenant_id, portfolio.pk, due, interval))
                portfolio.next_tick_at = next_due(portfolio.next_tick_at, interval, moment)
        Portfolio.objects.bulk_update(portfolios, ["next_tick_at"])
    return claimed


def slices_due() -> list[DueTick]:
    """Return a tick for each portfolio of the present in which the next slice of an order is due (strategy 14).

    It is found again each second until a tick has taken it: the tick that is wanted since a moment is taken once.
    """
    due = OrderPlan.objects.filter(status=OrderPlan.Status.WORKING, next_at__lte=clock.now(), submitted__gt=0)
    present = due.filter(cell__portfolio__is_archived=False, submitted__lt=F("slice_count"))
    present = present.exclude(cell__portfolio__mode=Portfolio.Mode.REPLAY)
    rows = present.order_by("next_at").values_list("tenant_id", "cell__portfolio_id", "next_at")
    first = {portfolio_id: DueTick(tenant_id, portfolio_id, at, 0) for tenant_id, portfolio_id, at in reversed(rows)}
    return list(first.values())


def next_due(due: dt.datetime, interval_seconds: int, moment: dt.datetime) -> dt.datetime:
    """Return the first moment after `moment` that is a whole number of intervals after `due`: due times never drift."""
    passed = max((moment - due).total_seconds() // interval_seconds, 0)
    return due + dt.timedelta(seconds=(passed + 1) * interval_seconds)


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
