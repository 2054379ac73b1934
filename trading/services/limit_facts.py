"""What limits are judged by, loaded at once: values, orders, refusals and prices of all that they are about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from portfolios.models import Portfolio, TradingRestriction
from trading.feeds.sources import source_of
from trading.models import LimitBaseline, Order, Quote, TradingLimit
from trading.services.day_openings import Course, Group, Key, courses, newest_entry_id
from trading.services.limit_cells import LimitedCell, Members, limited_cells
from trading.services.rejects import RUN_SECONDS, RejectRun, ended_orders, reject_runs
from volbal.common import clock, numbers

Kind = TradingLimit.Kind
BY_COURSE = frozenset({Kind.DRAWDOWN, Kind.DAILY_LOSS})
BY_VALUE = BY_COURSE | {Kind.EXPOSURE, Kind.CONCENTRATION}
BY_ORDERS = frozenset({Kind.DAILY_NOTIONAL, Kind.ORDERS_IN_WINDOW})
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WatchedOrder:
    """An order as limits count it: `notional` is what was booked, and what is still open at its decision's price."""

    id: int
    cell_id: int
    as_of: dt.datetime
    recorded_at: dt.datetime
    notional: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known once for all limits that are looked at together; `as_of` and `day` are the prices'.

    `quoted` is the time of each cell's quote by cell id, where its portfolio has a feed of its own time.
    """

    as_of: dt.datetime
    day: dt.date
    cells: tuple[LimitedCell, ...]
    members: Members[LimitedCell]
    courses: dict[Key, Course]
    orders: dict[int, list[WatchedOrder]]
    runs: dict[int, RejectRun]
    quoted: dict[int, dt.datetime]
    baselines: dict[tuple[str, str], LimitBaseline]

    def baseline(self, scope: str, kind: str) -> LimitBaseline | None:
        """Return from where something is measured since a person last resumed it."""
        return self.baselines.get((scope, kind))

    def cells_of(self, limit: TradingLimit) -> list[LimitedCell]:
        """Return the cells that a limit is about."""
        return self.members.of(limit)

    def orders_of(self, limit: TradingLimit) -> list[WatchedOrder]:
        """Return the orders that a limit is about, those since its last resumption."""
        start = self.baseline(limit.scope, limit.kind)
        return [
            order
            for cell in self.cells_of(limit)
            for order in self.orders.get(cell.cell_id, ())
            if start is None or order.recorded_at > start.recorded_at
        ]

    def course(self, limit: TradingLimit) -> Course | None:
        """Return how the value that a limit is about went, from its last resumption on; None without a mark."""
        start = self.baseline(limit.scope, limit.kind)
        return self.courses.get((limit.scope, 0 if start is None else start.pk))


def watched_load(where: Q, as_of: dt.datetime, limits: Sequence[TradingLimit]) -> Watched:
    """Return what limits are judged by, of the cells under a condition, in a fixed number of queries."""
    active = [limit for limit in limits if limit.mode != TradingLimit.Mode.OFF]
    kinds = {limit.kind for limit in active}
    entry_id = newest_entry_id() if kinds & BY_COURSE else 0
    cells = tuple(limited_cells(where))
    members = Members(cells)
    day = cells[0].day_of(as_of) if cells else as_of.date()
    ended = ended_orders(
        cell_ids=[cell.cell_id for cell in cells], since=clock.now() - dt.timedelta(seconds=RUN_SECONDS)
    )
    baselines = _baselines(limits, members, as_of) if limits else {}
    groups = [
        _group(limit, members, baselines.get((limit.scope, limit.kind))) for limit in active if limit.kind in BY_COURSE
    ]
    return Watched(
        as_of,
        day,
        cells,
        members,
        courses(groups, day, entry_id),
        _orders(cells, active, as_of) if kinds & BY_ORDERS else {},
        reject_runs(ended),
        _quote_times(cells) if Kind.STALE_DATA in kinds else {},
        baselines,
    )


def _group(limit: TradingLimit, members: Members[LimitedCell], start: LimitBaseline | None) -> Group:
    marked = tuple(cell for cell in members.of(limit) if cell.close is not None)
    if start is None or not marked:
        return Group(limit.scope, limit.tenant_id, marked)
    return Group(limit.scope, limit.tenant_id, marked, start.pk, marked[0].day_of(start.as_of))


def _orders(
    cells: Sequence[LimitedCell], limits: Sequence[TradingLimit], as_of: dt.datetime
) -> dict[int, list[WatchedOrder]]:
    longest = max((limit.window_seconds or 0 for limit in limits), default=0)
    since = as_of - max(DAY, dt.timedelta(seconds=longest))
    rows = Order.objects.filter(cell__among=[cell.cell_id for cell in cells], as_of__gte=since).order_by("id")
    fields = (
        "pk", "cell_id", "as_of", "recorded_at", "notional", "quantity", "filled_quantity", "decision_price", "status",
    )  # fmt: skip
    found: dict[int, list[WatchedOrder]] = {}
    for pk, cell_id, moment, recorded, notional, quantity, filled, price, status in rows.values_list(*fields):
        still = Decimal(0) if status in Order.ENDED or price is None else (quantity - filled) * price
        order = WatchedOrder(pk, cell_id, moment, recorded, float(notional) + max(float(still), 0.0))
        found.setdefault(cell_id, []).append(order)
    return found


def _quote_times(cells: Sequence[LimitedCell]) -> dict[int, dt.datetime]:
    present = [cell for cell in cells if cell.mode != Portfolio.Mode.REPLAY]
    portfolios = Portfolio.objects.filter(pk__in={cell.portfolio_id for cell in present}).select_related("replay")
    sources = {portfolio.pk: source_of(portfolio) for portfolio in portfolios}
    rows = Quote.objects.filter(
        source__in=set(sources.values()), instrument__among={cell.instrument_id for cell in present}
    )
    times = {
        (source, instrument): as_of
        for source, instrument, as_of in rows.values_list("source", "instrument_id", "as_of")
    }
    found = {cell.cell_id: times.get((sources[cell.portfolio_id], cell.instrument_id)) for cell in present}
    return {cell_id: quoted for cell_id, quoted in found.items() if quoted is not None}


def _baselines(
    limits: Sequence[TradingLimit], members: Members[LimitedCell], as_of: dt.datetime
) -> dict[tuple[str, str], LimitBaseline]:
    """Return the newest baseline of each scope and kind, those first written that a person's resuming asks for."""
    kinds, by_scope = {limit.kind for limit in limits}, {limit.scope: limit for limit in limits}
    lifted = TradingRestriction.objects.filter(
        cause__in=kinds, lifted_at__isnull=False, baseline__isnull=True, scope__in=by_scope
    )
    LimitBaseline.objects.bulk_create(
        [
            LimitBaseline(
                tenant_id=one.tenant_id,
                restriction=one,
                scope=one.scope,
                kind=one.cause,
                value=numbers.money(_value(members.of(by_scope[one.scope]))),
                as_of=as_of,
            )
            for one in lifted
        ],
        ignore_conflicts=True,
    )
    rows = LimitBaseline.objects.filter(scope__in=by_scope, kind__in=kinds).order_by("id")
    return {(one.scope, one.kind): one for one in rows}


def _value(cells: Iterable[LimitedCell]) -> float:
    return sum(cell.value for cell in cells)
