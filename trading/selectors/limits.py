"""Limits as pages show them: with their units, and how often they were broken."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from portfolios.models import Cell, Portfolio, Tenant
from trading.models import BreakerTrip, TradingLimit
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


def limits_of(row: Tenant | Portfolio | Cell) -> list[LimitView]:
    """Return the limits that something stands under, the widest first, in one query."""
    covering = Q(portfolio__isnull=True, cell__isnull=True)
    if isinstance(row, Portfolio):
        covering |= Q(portfolio=row)
    if isinstance(row, Cell):
        covering |= Q(portfolio=row.portfolio_id, cell__isnull=True) | Q(cell=row)
    limits = TradingLimit.objects.filter(covering).order_by("cell", "portfolio", "kind", "action")
    ranked = sorted(limits, key=lambda one: (one.cell_id is not None, one.portfolio_id is not None, one.kind))
    return [LimitView(limit, threshold_text(limit)) for limit in ranked]


def trips_of(row: Tenant | Portfolio | Cell) -> list[BreakerTrip]:
    """Return when limits were broken that touch something, the newest first."""
    rows = BreakerTrip.objects.all()
    if isinstance(row, Portfolio):
        rows = rows.filter(Q(portfolio=row) | Q(portfolio__isnull=True))
    if isinstance(row, Cell):
        rows = rows.filter(Q(cell=row) | Q(cell__isnull=True, portfolio=row.portfolio_id) | Q(portfolio__isnull=True))
    return list(rows[:NEWEST_TRIPS])
