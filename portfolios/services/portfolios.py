"""Portfolios: created, halted, resumed, archived."""

from __future__ import annotations

from django.db import transaction

from portfolios.models import BrokerAccount, Cell, Portfolio
from portfolios.services.cells import cell_archive, cell_pause
from portfolios.services.changes import changing
from portfolios.services.checks import insert, require_reason
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from volbal.common import clock
from volbal.common.errors import Refused


def portfolio_create(
    *,
    account: BrokerAccount,
    name: str,
    mode: str,
    origin: Origin,
    trading_hours: str = Portfolio.TradingHours.REGULAR,
    feed: str = "",
    tick_interval_seconds: int = 60,
) -> Portfolio:
    """Create a portfolio in an account. Raises Refused naming what cannot be.

    `feed` names where current prices come from: with one the portfolio is due for its first tick at once, without it
    nothing ticks. A replay has a time and prices of its own.
    """
    is_replay = mode == Portfolio.Mode.REPLAY
    if feed and (feed == Portfolio.REPLAY_FEED) != is_replay:
        raise Refused(f"feed is {feed!r} in mode {mode}; recorded prices go with mode replay alone.", code="feed")
    if tick_interval_seconds < 1:
        raise Refused(f"tick_interval_seconds is {tick_interval_seconds}; expected at least 1.", code="out_of_bounds")
    portfolio = Portfolio(
        tenant_id=account.tenant_id,
        account=account,
        name=name,
        mode=mode,
        feed=Portfolio.REPLAY_FEED if is_replay else feed,
        trading_hours=trading_hours,
        tick_interval_seconds=tick_interval_seconds,
        next_tick_at=None if is_replay or not feed else clock.now(),
    )
    with transaction.atomic():
        insert(portfolio)
        facts = {
            "account_id": account.pk,
            "name": name,
            "mode": mode,
            "feed": portfolio.feed,
            "trading_hours": trading_hours,
        }
        event_record(
            kind="portfolio.created",
            subject=subject_of(portfolio),
            origin=origin,
            tenant_id=portfolio.tenant_id,
            after=facts | {"tick_interval_seconds": tick_interval_seconds},
        )
    return portfolio


def portfolio_halt(*, portfolio: Portfolio, origin: Origin) -> Portfolio:
    """Let nothing in the portfolio trade, for the reason in `origin`."""
    require_reason(origin, "Halting a portfolio")
    with changing(portfolio, kind="portfolio.halted", origin=origin) as change:
        change.row.halted_because = origin.reason
    return portfolio


def portfolio_resume(*, portfolio: Portfolio, origin: Origin) -> Portfolio:
    """Lift a portfolio's halt; a person says why."""
    require_reason(origin, "Resuming a portfolio")
    with changing(portfolio, kind="portfolio.resumed", origin=origin) as change:
        if change.row.halted_because == "":
            raise Refused(f"{portfolio} is not halted.", code="wrong_status")
        change.row.halted_because = ""
    return portfolio


def portfolio_archive(*, portfolio: Portfolio, origin: Origin) -> Portfolio:
    """Put a portfolio and its cells away for good; it is kept to be read and never ticks again."""
    with changing(portfolio, kind="portfolio.archived", origin=origin) as change:
        if change.row.is_archived:
            raise Refused(f"{portfolio} is archived already.", code="wrong_status")
        for cell in Cell.objects.filter(portfolio=portfolio).exclude(status=Cell.Status.ARCHIVED).order_by("id"):
            if cell.status == Cell.Status.ACTIVE:
                cell_pause(cell=cell, origin=origin)
            cell_archive(cell=cell, origin=origin)
        change.row.is_archived = True
        change.row.next_tick_at = None
    return portfolio
