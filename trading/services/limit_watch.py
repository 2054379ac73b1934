"""Looking whether limits are kept: after ticks and fills, outside their transactions, for a portfolio and its firm."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from portfolios.models import Portfolio
from trading.models import BreakerTrip, Tick, TradingLimit
from trading.services.breakers import Finding, trip
from trading.services.limit_facts import watched_load
from trading.services.limit_looks import findings, unlimited_rejects


def limits_watch(*, portfolio_id: int) -> list[BreakerTrip]:
    """Look at every limit on a portfolio, its cells and its firm, and trip what is broken, once for each cause.

    Call it in the tenant's scope after a tick or a fill. A fixed number of queries, and some for each trip.
    """
    portfolio = Portfolio.objects.select_related("account", "replay").get(pk=portfolio_id)
    tick = Tick.objects.filter(portfolio=portfolio).order_by("-as_of").first()
    if tick is None or portfolio.is_archived:
        return []
    covering = Q(portfolio__isnull=True) | Q(portfolio=portfolio)
    limits = list(TradingLimit.objects.filter(covering, tenant_id=portfolio.tenant_id))
    if not limits and portfolio.mode == Portfolio.Mode.REPLAY:
        return []
    watched = watched_load(portfolio, tick.as_of, limits)
    active = [limit for limit in limits if limit.mode != TradingLimit.Mode.OFF]
    found = [one for limit in active for one in findings(limit, watched)] + unlimited_rejects(limits, watched)
    return [made for one in _new(found) if (made := trip(one)) is not None]


def _new(found: Sequence[Finding]) -> list[Finding]:
    """Leave out what tripped before, in one query; the table decides between those who come at once."""
    if not found:
        return []
    rows = BreakerTrip.objects.filter(cause__in={one.cause for one in found})
    known = set(rows.values_list("scope", "kind", "action", "cause"))
    return [one for one in found if (one.on.key, one.kind, one.action, one.cause) not in known]
