"""Which ticks new quotes ask for, each claimed once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from portfolios.models import Cell, Portfolio
from trading.feeds.sources import trading_on
from trading.models import TickState
from volbal.common import clock

# A wake whose message was lost no longer keeps others from asking.
WAKE_LOST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Wake:
    """A tick to be taken `delay_seconds` from now, because a quote asked for it."""

    tenant_id: int
    portfolio_id: int
    delay_seconds: float


def wakes_claim(*, instrument_ids: Iterable[int], source: str) -> list[Wake]:
    """Return the ticks that new quotes of a source ask for, each claimed so that only one waits in a portfolio.

    Portfolios ask to be woken (`tick_on_quotes`); they hold one of the instruments and take their prices from the
    source. Call it in the scope of every tenant: prices are shared.
    """
    moment = clock.now()
    holding = Cell.objects.filter(instrument__in=list(instrument_ids)).exclude(status=Cell.Status.ARCHIVED)
    portfolios = Portfolio.objects.filter(
        trading_on(source), tick_on_quotes=True, is_archived=False, pk__in=holding.order_by().values("portfolio_id")
    ).exclude(mode=Portfolio.Mode.REPLAY)
    return [wake for portfolio in portfolios.order_by("id") if (wake := _claim(portfolio, moment)) is not None]


def _claim(portfolio: Portfolio, moment: dt.datetime) -> Wake | None:
    """Claim by compare-and-set: of many quotes at once one gets the tick."""
    state, _ = TickState.objects.get_or_create(portfolio=portfolio, defaults={"tenant_id": portfolio.tenant_id})
    lost = Q(wake_asked_at=None) | Q(wake_asked_at__lt=moment - dt.timedelta(seconds=WAKE_LOST_SECONDS))
    if TickState.objects.filter(lost, portfolio=portfolio).update(wake_asked_at=moment) != 1:
        return None
    pause = 1.0 / settings.TICKS_PER_SECOND_ON_QUOTES
    passed = pause if state.woken_at is None else (moment - state.woken_at).total_seconds()
    return Wake(portfolio.tenant_id, portfolio.pk, min(max(pause - passed, 0.0), pause))


def wake_begin(*, portfolio: Portfolio) -> None:
    """Let the next quote ask again: call it before the tick reads its quotes, so that none is read past."""
    TickState.objects.filter(portfolio=portfolio).update(wake_asked_at=None, woken_at=clock.now())


def wake_waits(*, portfolio: Portfolio) -> bool:
    """Whether a quote asked for a tick that has not begun."""
    return TickState.objects.filter(portfolio=portfolio, wake_asked_at__isnull=False).exists()
