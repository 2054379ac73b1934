"""What limits are judged by, loaded at once: values, orders, refusals and prices of a portfolio or its whole firm."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolios.models import Cell, Portfolio, TradingRestriction
from trading.feeds.sources import source_of
from trading.marketdata.calendars import exchange_calendar
from trading.models import LimitBaseline, Order, Quote, TradingLimit
from trading.services.equity import Equity, Growth, equity_of, growth_of
from trading.services.exposure import Held, members
from trading.services.rejects import RUN_SECONDS, RejectRun, ended_orders, reject_runs
from volbal.common import clock, numbers

Kind = TradingLimit.Kind
BY_VALUE = frozenset({Kind.DRAWDOWN, Kind.DAILY_LOSS, Kind.EXPOSURE, Kind.CONCENTRATION})
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
    """What is known once for all limits that are looked at together; `as_of` and `day` are the prices'."""

    as_of: dt.datetime
    day: dt.date
    cells: tuple[Cell, ...]
    equity: Equity | None
    held: tuple[Held, ...]
    orders: tuple[WatchedOrder, ...]
    runs: dict[int, RejectRun]
    quotes: dict[tuple[str, int], dt.datetime]
    baselines: dict[tuple[str, str], LimitBaseline]

    def baseline(self, scope: str, kind: str) -> LimitBaseline | None:
        """Return from where something is measured since a person last resumed it."""
        return self.baselines.get((scope, kind))

    def cells_of(self, limit: TradingLimit) -> list[Cell]:
        """Return the cells that a limit is about."""
        if limit.cell_id is not None:
            return [cell for cell in self.cells if cell.pk == limit.cell_id]
        if limit.portfolio_id is not None:
            return [cell for cell in self.cells if cell.portfolio_id == limit.portfolio_id]
        return list(self.cells)

    def orders_of(self, limit: TradingLimit) -> list[WatchedOrder]:
        """Return the orders that a limit is about, those since its last resumption."""
        mine = {cell.pk for cell in self.cells_of(limit)}
        start = self.baseline(limit.scope, limit.kind)
        return [
            order
            for order in self.orders
            if order.cell_id in mine and (start is None or order.recorded_at > start.recorded_at)
        ]

    def growth(self, limit: TradingLimit) -> Growth | None:
        """Return how the value that a limit is about went, from its last resumption on; None without a mark."""
        cells = self.cells_of(limit)
        rows = [] if self.equity is None else self.equity.rows(cell.pk for cell in cells)
        if self.equity is None or not rows:
            return None
        start = self.baseline(limit.scope, limit.kind)
        if start is None:
            return growth_of(self.equity, rows)
        since = exchange_calendar(cells[0].instrument.exchange).day_of(start.as_of)
        return growth_of(self.equity, rows, since=since, start_value=float(start.value))


def watched_load(portfolio: Portfolio, as_of: dt.datetime, limits: Sequence[TradingLimit]) -> Watched:
    """Return what limits on a portfolio, its cells and its firm are judged by, in a fixed number of queries."""
    kinds = {limit.kind for limit in limits if limit.mode != TradingLimit.Mode.OFF}
    whole_firm = any(limit.portfolio_id is None for limit in limits if limit.kind in BY_VALUE | BY_ORDERS)
    rows = Cell.objects.exclude(status=Cell.Status.ARCHIVED).filter(tenant_id=portfolio.tenant_id)
    rows = rows.filter(portfolio__is_archived=False) if whole_firm else rows.filter(portfolio=portfolio)
    cells = tuple(rows.select_related("instrument", "portfolio__account", "portfolio__replay").order_by("id"))
    exchange = cells[0].instrument.exchange if cells else "XNYS"
    day = exchange_calendar(exchange).day_of(as_of)
    equity = equity_of(cells, day) if kinds & BY_VALUE else None
    held = tuple(_held(cells, equity)) if equity is not None else ()
    ended = ended_orders(cell_ids=[cell.pk for cell in cells], since=clock.now() - dt.timedelta(seconds=RUN_SECONDS))
    baselines = _baselines(limits, held, as_of) if limits else {}
    return Watched(
        as_of,
        day,
        cells,
        equity,
        held,
        tuple(_orders(cells, limits, as_of)) if kinds & BY_ORDERS else (),
        reject_runs(ended),
        _quote_times(cells) if Kind.STALE_DATA in kinds else {},
        baselines,
    )


def _held(cells: Sequence[Cell], equity: Equity) -> list[Held]:
    found = []
    for cell in cells:
        row = equity.cells.get(cell.pk)
        close = 0.0 if row is None else float(equity.closes[row, -1])
        stock = float(cell.shares) * close
        value = stock + float(cell.cash) + float(cell.receivable)
        found.append(Held(cell.pk, cell.portfolio_id, cell.instrument_id, stock, value))
    return found


def _orders(cells: Sequence[Cell], limits: Sequence[TradingLimit], as_of: dt.datetime) -> list[WatchedOrder]:
    longest = max((limit.window_seconds or 0 for limit in limits), default=0)
    since = as_of - max(DAY, dt.timedelta(seconds=longest))
    rows = Order.objects.filter(cell__in=[cell.pk for cell in cells], as_of__gte=since).order_by("id")
    fields = (
        "pk", "cell_id", "as_of", "recorded_at", "notional", "quantity", "filled_quantity", "decision_price", "status",
    )  # fmt: skip
    found = []
    for pk, cell_id, moment, recorded, notional, quantity, filled, price, status in rows.values_list(*fields):
        still = Decimal(0) if status in Order.ENDED or price is None else (quantity - filled) * price
        found.append(WatchedOrder(pk, cell_id, moment, recorded, float(notional) + max(float(still), 0.0)))
    return found


def _quote_times(cells: Sequence[Cell]) -> dict[tuple[str, int], dt.datetime]:
    sources = {source_of(cell.portfolio) for cell in cells}
    rows = Quote.objects.filter(source__in=sources, instrument__in={cell.instrument_id for cell in cells})
    return {
        (source, instrument): as_of
        for source, instrument, as_of in rows.values_list("source", "instrument_id", "as_of")
    }


def _baselines(
    limits: Sequence[TradingLimit], held: Sequence[Held], as_of: dt.datetime
) -> dict[tuple[str, str], LimitBaseline]:
    """Return the newest baseline of each scope and kind, those first written that a person's resuming asks for."""
    kinds = {limit.kind for limit in limits}
    lifted = TradingRestriction.objects.filter(
        cause__in=kinds, lifted_at__isnull=False, baseline__isnull=True, tenant_id=limits[0].tenant_id
    )
    by_scope = {limit.scope: limit for limit in limits}
    LimitBaseline.objects.bulk_create(
        [
            LimitBaseline(
                tenant_id=limits[0].tenant_id,
                restriction=one,
                scope=one.scope,
                kind=one.cause,
                value=numbers.money(sum(part.value for part in members(by_scope[one.scope], held))),
                as_of=as_of,
            )
            for one in lifted
            if one.scope in by_scope
        ],
        ignore_conflicts=True,
    )
    rows = LimitBaseline.objects.filter(scope__in=by_scope, kind__in=kinds).order_by("id")
    return {(one.scope, one.kind): one for one in rows}
