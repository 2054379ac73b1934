"""Limits as pages show them: with their units, and how often they were broken."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from portfolios.models import BrokerAccount, Cell, Portfolio, Tenant
from portfolios.standings import HEIGHT, place_of
from trading.models import BreakerTrip, TradingLimit
from trading.services.limit_cells import ABOVE_PORTFOLIOS, limits_over
from volbal.common.templatetags import figures

NEWEST_TRIPS = 20


@dataclass(frozen=True, slots=True)
class LimitView:
    """A limit with its threshold in words."""

    row: TradingLimit
    threshold: str


def threshold_text(limit: TradingLimit) -> str:
    """Return a threshold with its unit: a percentage, an amount, a count, or seconds."""
    if limit.kind in TradingLimit.FRACTIONS:
        return figures.bound(limit.threshold)
    if limit.kind in TradingLimit.COUNTS:
        return f"{figures.grouped(limit.threshold)} in {figures.age(limit.window_seconds)}"
    if limit.kind == TradingLimit.Kind.STALE_DATA:
        return figures.age(limit.threshold)
    return "any" if limit.kind == TradingLimit.Kind.DISAGREEMENT else figures.money(limit.threshold)


def limits_of(row: Tenant | BrokerAccount | Portfolio | Cell) -> list[LimitView]:
    """Return the limits that something stands under, the widest first, in one query.

    Above a replay none counts.
    """
    limits = TradingLimit.objects.filter(limits_over(place_of(row)))
    portfolio = row.portfolio if isinstance(row, Cell) else row
    if isinstance(portfolio, Portfolio) and portfolio.mode == Portfolio.Mode.REPLAY:
        limits = limits.exclude(level__in=ABOVE_PORTFOLIOS)
    ranked = sorted(limits, key=lambda one: (HEIGHT[one.level], one.kind, one.action))
    return [LimitView(limit, threshold_text(limit)) for limit in ranked]


def trips_of(row: Portfolio | Cell) -> list[BreakerTrip]:
    """Return when limits were broken that touch something, the newest first."""
    portfolio = row.portfolio if isinstance(row, Cell) else row
    above = [place_of(portfolio.account).key, place_of(portfolio).key, f"tenant:{row.tenant_id}"]
    touching = Q(scope__in=above) | (Q(cell=row) if isinstance(row, Cell) else Q(portfolio=row))
    return list(BreakerTrip.objects.filter(touching)[:NEWEST_TRIPS])
