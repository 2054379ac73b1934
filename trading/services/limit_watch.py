"""Looking whether limits are kept: after ticks and fills, outside their transactions; over all firms by the clock."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from portfolios.models import Portfolio, TradingRestriction
from portfolios.standings import place_of
from trading.models import BreakerTrip, Tick, TradingLimit
from trading.services.breakers import Finding, trip
from trading.services.limit_cells import ABOVE_PORTFOLIOS, limits_over
from trading.services.limit_facts import BY_ORDERS, BY_VALUE, watched_load
from trading.services.limit_looks import findings, unlimited_rejects
from volbal.common import clock

Level = TradingRestriction.Level
REPLAY = Portfolio.Mode.REPLAY


def limits_watch(*, portfolio_id: int) -> list[BreakerTrip]:
    """Look at every limit on a portfolio, its cells, its account and its firm, and trip what is broken, once for
    each cause.

    Of those everywhere and on its broker only what is judged cell by cell is looked at here: `shared_limits_watch`
    adds up all firms. Call it in the tenant's scope after a tick or a fill. A fixed number of queries, and some for
    each trip.
    """
    portfolio = Portfolio.objects.select_related("account").get(pk=portfolio_id)
    tick = Tick.objects.filter(portfolio=portfolio).order_by("-as_of").first()
    if tick is None or portfolio.is_archived:
        return []
    limits = _limits_at(portfolio)
    if not limits and portfolio.mode == REPLAY:
        return []
    watched = watched_load(_reach(portfolio, limits), tick.as_of, limits)
    found = [one for limit in _active(limits) for one in findings(limit, watched)]
    return _trip(found + unlimited_rejects(limits, watched))


def shared_limits_watch() -> list[BreakerTrip]:
    """Look at the limits everywhere and on whole brokers, over the cells of all firms; call it in every tenant's scope.

    One query where there are none.
    """
    limits = list(TradingLimit.objects.filter(tenant=None, kind__in=BY_VALUE | BY_ORDERS))
    active = _active(limits)
    if not active:
        return []
    where = Q(portfolio__is_archived=False) & ~Q(portfolio__mode=REPLAY)
    if all(limit.level == Level.BROKER for limit in active):
        where &= Q(portfolio__account__broker__in={limit.broker for limit in active})
    watched = watched_load(where, clock.now(), limits)
    return _trip([one for limit in active for one in findings(limit, watched)])


def _limits_at(portfolio: Portfolio) -> list[TradingLimit]:
    """Return the limits that a look at a portfolio judges: of those above a replay none, it has a time of its own."""
    covering = limits_over(place_of(portfolio)) | Q(level=Level.CELL, cell__portfolio=portfolio)
    rows = TradingLimit.objects.filter(covering).filter(
        Q(tenant=portfolio.tenant_id) | Q(tenant=None, kind__in=TradingLimit.OF_EACH_CELL)
    )
    if portfolio.mode == REPLAY:
        rows = rows.exclude(level__in=ABOVE_PORTFOLIOS)
    return list(rows)


def _reach(portfolio: Portfolio, limits: Sequence[TradingLimit]) -> Q:
    """Return the condition on the cells that have to be known: as far as a limit adds them up."""
    adding = {limit.level for limit in _active(limits) if limit.kind in BY_VALUE | BY_ORDERS}
    here = Q(portfolio=portfolio)
    if Level.TENANT in adding:
        return here | Q(tenant=portfolio.tenant_id, portfolio__is_archived=False)
    return (
        here | Q(portfolio__account=portfolio.account_id, portfolio__is_archived=False)
        if Level.ACCOUNT in adding
        else here
    )


def _active(limits: Sequence[TradingLimit]) -> list[TradingLimit]:
    return [limit for limit in limits if limit.mode != TradingLimit.Mode.OFF]


def _trip(found: Sequence[Finding]) -> list[BreakerTrip]:
    return [made for one in _new(found) if (made := trip(one)) is not None]


def _new(found: Sequence[Finding]) -> list[Finding]:
    """Leave out what tripped before, in one query; the table decides between those who come at once."""
    if not found:
        return []
    rows = BreakerTrip.objects.filter(cause__in={one.cause for one in found})
    known = set(rows.values_list("scope", "kind", "action", "cause"))
    return [one for one in found if (one.on.key, one.kind, one.action, one.cause) not in known]
