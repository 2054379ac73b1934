"""Background work of trading. A message only says that there is work: every task may be delivered twice or late."""

from __future__ import annotations

import datetime as dt
from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from portfolios.models import Portfolio
from trading.models import BreakerTrip, ReplayRun
from trading.services.archives import evaluations_archive
from trading.services.backfills import backfill_held_actions, backfill_run, backfills_waiting
from trading.services.dispatch import (
    accounts_to_reconcile,
    accounts_with_open_orders,
    portfolios_claim_due,
    replays_due,
    slices_due,
)
from trading.services.limit_watch import limits_watch, shared_limits_watch
from trading.services.live import portfolio_publish
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.reach import place_named, senders_at
from trading.services.reconciliation import accounts_await_reconciliation
from trading.services.replays import replay_close, replay_step
from trading.services.sending import account_compare, account_send
from trading.services.tick_states import ticks_notice_missed
from trading.services.ticks import TickOutcome
from trading.services.wake_claims import wake_waits
from volbal.common.tenancy import every_tenant, tenant_scope

ORDERS_QUEUE = "orders"
TICK_EXPIRES_SECONDS = 5
# Whatever is looked at later is looked at after the next tick anyway.
LIMITS_EXPIRE_SECONDS = 60
RECONCILE_EXPIRES_SECONDS = 30
WAKE_AGAIN_SECONDS = 0.1
SEND_AGAIN_SECONDS = 0.2


@shared_task
def dispatch_due() -> None:
    """Once a second: wake every replay that is behind its pace and every portfolio whose interval has passed."""
    with every_tenant():
        replays, ticks = replays_due(), [*portfolios_claim_due(), *slices_due()]
    for run in replays:
        advance_replay.delay(run.tenant_id, run.pk)
    for tick in ticks:
        # One that waited until the next is due is no longer wanted.
        tick_portfolio.apply_async(
            (tick.tenant_id, tick.portfolio_id, tick.due.isoformat()),
            expires=max(tick.interval_seconds, TICK_EXPIRES_SECONDS),
        )


@shared_task
def advance_replay(tenant_id: int, run_id: int) -> None:
    """Take the next step of a replay if it is due, and wake what follows: its orders, or the step after."""
    with tenant_scope(tenant_id):
        outcome = replay_step(run_id=run_id)
        if outcome is None:
            return
        replay_follow_up(tenant_id, ReplayRun.objects.get(pk=run_id), outcome)


def replay_follow_up(tenant_id: int, run: ReplayRun, outcome: TickOutcome) -> None:
    """Tell those who watch about a step and wake what follows it."""
    replay_close(run_id=run.pk)
    portfolio_publish(portfolio_id=run.portfolio_id, kind="tick")
    watch_limits.apply_async((tenant_id, run.portfolio_id), expires=LIMITS_EXPIRE_SECONDS)
    if outcome.order_count:
        send_orders.delay(tenant_id, outcome.account_id)
    else:
        advance_replay.delay(tenant_id, run.pk)


@shared_task
def tick_portfolio(tenant_id: int, portfolio_id: int, due: str | None = None) -> None:
    """Look at a portfolio that lives in the present, now; the tick that was due at a moment is taken once."""
    since = None if due is None else dt.datetime.fromisoformat(due)
    with tenant_scope(tenant_id):
        portfolio = Portfolio.objects.select_related("account").get(pk=portfolio_id)
        tick_follow_up(portfolio, portfolio_tick(portfolio=portfolio, due=since))


@shared_task
def tick_woken(tenant_id: int, portfolio_id: int) -> None:
    """Look at a portfolio because a quote asked for it, and once more where it was being looked at just then."""
    with tenant_scope(tenant_id):
        portfolio = Portfolio.objects.select_related("account").get(pk=portfolio_id)
        outcome = portfolio_tick(portfolio=portfolio, woken=True)
        tick_follow_up(portfolio, outcome)
        if outcome is None and wake_waits(portfolio=portfolio):
            tick_woken.apply_async((tenant_id, portfolio_id), countdown=WAKE_AGAIN_SECONDS)


def tick_follow_up(portfolio: Portfolio, outcome: TickOutcome | None) -> None:
    """Wake the sender of the orders that a tick left, then tell those who watch."""
    if outcome is None:
        return
    if outcome.order_count:
        send_orders.delay(portfolio.tenant_id, outcome.account_id)
    portfolio_publish(portfolio_id=portfolio.pk, kind="tick")
    watch_limits.apply_async((portfolio.tenant_id, portfolio.pk), expires=LIMITS_EXPIRE_SECONDS)


@shared_task
def watch_limits(tenant_id: int, portfolio_id: int) -> None:
    """Look whether limits on a portfolio and what is above it are kept, after a tick or fills and apart from them."""
    with tenant_scope(tenant_id):
        senders = _held_up(limits_watch(portfolio_id=portfolio_id))
    for sender in senders:
        send_orders.delay(*sender)


@shared_task
def watch_shared_limits() -> None:
    """Every few seconds: look whether the limits on brokers and everywhere are kept by all firms together."""
    with every_tenant():
        senders = _held_up(shared_limits_watch())
    for sender in senders:
        send_orders.delay(*sender)


def _held_up(trips: list[BreakerTrip]) -> set[tuple[int, int]]:
    """Return who sends for what trips have stopped: tenant and account."""
    halts = [one.restriction for one in trips if one.restriction is not None]
    return {sender for halt in halts for sender in senders_at(place_named(halt))}


@shared_task
def watch_ticks() -> None:
    """Every few seconds: tell of portfolios whose tick is missing."""
    with every_tenant():
        ticks_notice_missed()


@shared_task
def archive_old_evaluations() -> None:
    """Once a day: let old HOLD evaluations leave their table for files."""
    with every_tenant():
        evaluations_archive()


@shared_task
def send_waiting() -> None:
    """Every few seconds: find accounts with orders that have not ended, a forgotten intent included."""
    with every_tenant():
        accounts = accounts_with_open_orders()
    for account in accounts:
        send_orders.delay(account.tenant_id, account.pk)


@shared_task
def send_orders(tenant_id: int, account_id: int) -> None:
    """Send an account's intents, book its fills, tell those who watch, and let its replays go on."""
    with tenant_scope(tenant_id):
        sent = account_send(account_id=account_id)
        if sent.waits:
            send_orders.apply_async((tenant_id, account_id), countdown=SEND_AGAIN_SECONDS)
        fills = sent.fills
        touched = {fill.order.cell.portfolio_id for fill in fills}
        for portfolio_id in touched:
            portfolio_publish(portfolio_id=portfolio_id, kind="orders", fills=fills)
            watch_limits.apply_async((tenant_id, portfolio_id), expires=LIMITS_EXPIRE_SECONDS)
        runs = ReplayRun.objects.filter(portfolio__in=touched)
        for run_id, status in runs.values_list("pk", "status"):
            replay_close(run_id=run_id)
            if status == ReplayRun.Status.RUNNING:
                advance_replay.delay(tenant_id, run_id)


@worker_ready.connect
def await_reconciliation(sender: Any, **_: Any) -> None:
    """At the start of a worker that sends orders: nothing trades until books and brokers have been compared."""
    if ORDERS_QUEUE in sender.app.amqp.queues.consume_from:
        with every_tenant():
            accounts_await_reconciliation()
        reconcile_waiting.delay()


@shared_task
def reconcile_waiting() -> None:
    """Every few seconds: compare the accounts that wait for it, or were last compared a window ago."""
    with every_tenant():
        accounts = accounts_to_reconcile()
    for account in accounts:
        # It is found again at the next coming: what waited longer is no longer wanted.
        reconcile_account.apply_async((account.tenant_id, account.pk), expires=RECONCILE_EXPIRES_SECONDS)


@shared_task
def reconcile_account(tenant_id: int, account_id: int) -> None:
    """Bring an account's orders up to date and compare it with its broker."""
    with tenant_scope(tenant_id):
        send_orders(tenant_id, account_id)
        account_compare(account_id=account_id)


@shared_task
def backfill_job(backfill_id: int) -> None:
    """Fetch one job's history; told twice it is fetched once."""
    backfill_run(backfill_id=backfill_id)


@shared_task
def backfill_waiting() -> None:
    """Now and then: take up fetches of history that were forgotten or whose worker was lost."""
    for backfill_id in backfills_waiting():
        backfill_job.delay(backfill_id)


@shared_task
def backfill_actions() -> None:
    """Once a day: fetch dividends and splits of what is held, where a source is set."""
    job = backfill_held_actions()
    if job is not None:
        backfill_job.delay(job.pk)
