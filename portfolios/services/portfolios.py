"""Portfolios: created and archived."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from portfolios.models import BrokerAccount, Cell, Portfolio
from portfolios.services.cells import cell_archive, cell_pause
from portfolios.services.changes import changing
from portfolios.services.checks import insert
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from portfolios.services.restrictions import restrictions_close
from portfolios.standings import place_of
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
    tick_on_quotes: bool = False,
) -> Portfolio:
    """Create a portfolio in an account. Raises Refused naming what cannot be.

    `feed` names where current prices come from: with one the portfolio is due for its first tick at once, without it
    nothing ticks. A replay has a time and prices of its own.
    """
    is_replay = mode == Portfolio.Mode.REPLAY
    if feed and (feed == Portfolio.REPLAY_FEED) != is_replay:
        raise Refused(f"feed is {feed!r} in mode {mode}; recorded prices go with mode replay alone.", code="feed")
    _require_interval(tick_interval_seconds)
    portfolio = Portfolio(
        tenant_id=account.tenant_id,
        account=account,
        name=name,
        mode=mode,
        feed=Portfolio.REPLAY_FEED if is_replay else feed,
        trading_hours=trading_hours,
        tick_interval_seconds=tick_interval_seconds,
        tick_on_quotes=tick_on_quotes,
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
            after=facts | {"tick_interval_seconds": tick_interval_seconds, "tick_on_quotes": tick_on_quotes},
        )
    return portfolio


def portfolio_set_ticks(
    *, portfolio: Portfolio, tick_interval_seconds: int, tick_on_quotes: bool, origin: Origin
) -> Portfolio:
    """Say how often a portfolio is looked at, in whole seconds from 1, and whether new quotes wake it as well.

    A shorter interval counts from now. Raises Refused for a replay, which has its own pace, and an archived one.
    """
    _require_interval(tick_interval_seconds)
    with changing(portfolio, kind="portfolio.ticks_set", origin=origin) as change:
        row = change.row
        if row.mode == Portfolio.Mode.REPLAY or row.is_archived:
            raise Refused(f"{row} does not tick by the clock: replays keep a pace of their own.", code="wrong_mode")
        row.tick_interval_seconds, row.tick_on_quotes = tick_interval_seconds, tick_on_quotes
        soon = clock.now() + dt.timedelta(seconds=tick_interval_seconds)
        if row.next_tick_at is not None and row.next_tick_at > soon:
            row.next_tick_at = soon
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
        restrictions_close(on=place_of(portfolio), origin=origin)
        change.row.is_archived = True
        change.row.next_tick_at = None
    return portfolio


def _require_interval(seconds: int) -> None:
    if seconds < 1:
        raise Refused(f"tick_interval_seconds is {seconds}; expected at least 1.", code="out_of_bounds")
