"""A replay's bar walked along its four points, so that orders which rest meet it as in a backtest (strategy 12)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q

from portfolios.models import Cell, Portfolio
from portfolios.selectors import cell_rows, commission_terms, parameter_rows
from portfolios.standings import trading_states
from trading.feeds.base import PriceQuote
from trading.feeds.replay import Timeline
from trading.marketdata.calendars import exchange_calendar
from trading.models import Order, ReplayRun
from trading.services.corporate_actions import actions_apply, dividends_reinvest
from trading.services.exposure import buy_rooms
from trading.services.gates import cells_with_open_orders
from trading.services.pricing import history_prices, history_take
from trading.services.resting_orders import rests_lay
from trading.services.resting_rule import CellRests, open_rests, rests_wanted
from trading.services.triggers import triggers_put_in_force
from volbal.common import clock, numbers
from volbal.strategy import Rest
from volbal.strategy.codes import Reason

CLOSE = 4


@dataclass(frozen=True, slots=True)
class WalkWaits:
    """A walk that goes on once the account's sender has been at work; `state` is the same where nothing moved."""

    account_id: int
    state: tuple[object, ...]


@dataclass(slots=True)
class _Walk:
    """How far the bar is walked: the next point (0 the open, CLOSE when it is over) and each instrument's price."""

    point: int = 0
    prices: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: Mapping[str, object]) -> _Walk:
        """Build from what ReplayRun.walk keeps."""
        if not kept:
            return cls()
        prices = kept["prices"]
        return cls(int(str(kept["point"])), {int(key): float(value) for key, value in dict(prices).items()})  # type: ignore[call-overload]

    def as_json(self) -> dict[str, object]:
        """Return what ReplayRun.walk keeps."""
        return {"point": self.point, "prices": {str(key): value for key, value in self.prices.items()}}


def bar_walk(*, run: ReplayRun, timeline: Timeline, moment: dt.datetime) -> WalkWaits | None:
    """Walk the bar of a replay's next step as far as nothing has to be sent; return None once it has been walked.

    Call it in the step's transaction with the run held. Corporate actions of the bar's day come first. Where an order
    has to be sent or cancelled, or the market reaches one, the walk is kept and goes on at the next call; the broker
    fills what rests at the price it is reached at, which is its limit, or the open where the bar opens beyond it.
    """
    bars = timeline.paths(run.position, low_first=run.path == ReplayRun.Path.OLHC)
    cells = _cells(run.portfolio, bars)
    if not cells:
        return None
    days = {cell.pk: exchange_calendar(cell.instrument.exchange).day_of(moment) for cell in cells}
    busy = cells_with_open_orders(run.portfolio)
    split = actions_apply(cells=cells, days=days, prices={}, as_of=moment, open_orders=busy)
    step = _Step(run, timeline, moment, bars, cells, _Walk.of(run.walk))
    waits = step.go(step.wanted(days, split))
    run.walk = {} if waits is None else step.walk.as_json()
    if waits is None:
        closes = timeline.quotes(run.position, source=run.source, received_at=clock.now())
        dividends_reinvest(cells=cells, prices=history_prices(closes, moment), as_of=moment)
    return waits


def _cells(portfolio: Portfolio, bars: Mapping[int, Sequence[float]]) -> list[Cell]:
    """Return the cells with a bar that rest orders, and those that still have one, held locked."""
    laid = Order.objects.filter(cell=OuterRef("pk"), purpose=Order.Purpose.RESTING).exclude(status__in=Order.ENDED)
    rows = Cell.objects.select_for_update(of=("self",), no_key=True).filter(portfolio=portfolio, instrument__in=bars)
    rows = rows.filter(Q(execution=Cell.Execution.RESTING) | Exists(laid)).exclude(status=Cell.Status.ARCHIVED)
    cells = list(rows.select_related("instrument", "parameters").order_by("id"))
    for cell in cells:
        cell.portfolio = portfolio
    return cells


@dataclass(slots=True)
class _Step:
    run: ReplayRun
    timeline: Timeline
    moment: dt.datetime
    bars: Mapping[int, Sequence[float]]
    cells: Sequence[Cell]
    walk: _Walk

    def wanted(self, days: Mapping[int, dt.date], split: frozenset[int]) -> list[CellRests]:
        """Return what is to rest for each cell as it stands now."""
        cells, terms = self.cells, commission_terms(self.cells)
        opens = {key: path[0] for key, path in self.bars.items()}
        known = {cell.pk: numbers.price(opens[cell.instrument_id]) for cell in cells}
        rows, parameters = cell_rows(cells, days), parameter_rows(cells, known, terms)
        triggers_put_in_force(cells, days, known, terms, parameters)
        held, standings = open_rests(cells), trading_states(cells)
        prices = history_prices(self._quotes(opens), self.moment)
        rooms = buy_rooms(self.run.portfolio, cells, prices)
        wanted = rests_wanted(cells, (rows, parameters), terms, held, standings, rooms)
        refused = self._refused()
        found = []
        for cell, (sell, buy) in zip(cells, wanted, strict=True):
            own = {side: order for (cell_id, side), order in held.items() if cell_id == cell.pk}
            clears = not cell.rests_orders or standings[cell.pk].is_halted or cell.pk in split
            sides = _but(sell, cell, refused), _but(buy, cell, refused)
            found.append(CellRests(cell, standings[cell.pk], terms[cell.pk], sides, own, clears=clears))
        return found

    def _refused(self) -> frozenset[tuple[int, str, Decimal | None]]:
        """Return cell, side and limit of what the broker refused in this bar: it is not sent there again."""
        rows = Order.objects.filter(cell__in=[cell.pk for cell in self.cells], as_of=self.moment)
        rows = rows.filter(purpose=Order.Purpose.RESTING, status=Order.Status.REJECTED)
        return frozenset(rows.values_list("cell_id", "side", "limit_price"))

    def go(self, rests: Sequence[CellRests]) -> WalkWaits | None:
        """Cancel and lay what has to be, else move on to where an order is reached."""
        laid = rests_lay(portfolio=self.run.portfolio, rests=rests, as_of=self.moment, places=False)
        if laid.to_send or laid.waiting:
            return self._waits()
        if self._is_to_be_laid(rests):
            # A new order meets the market of this bar, never the close of the one before.
            if self.walk.point == 0:
                self._open()
            self._publish(self.walk.prices)
            rests_lay(portfolio=self.run.portfolio, rests=rests, as_of=self.moment)
            return self._waits()
        while self.walk.point < CLOSE:
            reached = self._move([order for one in rests for order in one.held.values()])
            if reached:
                self._publish(reached)
                return self._waits()
        return None

    def _is_to_be_laid(self, rests: Sequence[CellRests]) -> bool:
        return any(
            rest.is_order and str(rest.side) not in one.held for one in rests if not one.clears for rest in one.wanted
        )

    def _open(self) -> None:
        self.walk.point, self.walk.prices = 1, {key: path[0] for key, path in self.bars.items()}

    def _move(self, orders: Iterable[Order]) -> dict[int, float]:
        """Go on to the next prices at which orders are reached and return them; to the next point where none is."""
        at_rest = [(order, numbers.to_float(order.limit_price), self._instrument(order)) for order in orders]
        if self.walk.point == 0:
            self._open()
        stands = {
            key: self.walk.prices[key] for order, limit, key in at_rest if _meets(order, limit, self.walk.prices[key])
        }
        if stands or self.walk.point == CLOSE:
            return stands
        stops: dict[int, float] = {}
        for order, limit, key in at_rest:
            start, end = self.walk.prices[key], self.bars[key][self.walk.point]
            sells = order.side == Order.Side.SELL
            if (start < limit <= end) if sells else (end <= limit < start):
                nearest = stops.get(key, limit)
                stops[key] = min(nearest, limit) if sells else max(nearest, limit)
        if stops:
            self.walk.prices |= stops
            return stops
        self.walk.prices = {key: path[self.walk.point] for key, path in self.bars.items()}
        self.walk.point += 1
        return {}

    def _instrument(self, order: Order) -> int:
        return next(cell.instrument_id for cell in self.cells if cell.pk == order.cell_id)

    def _publish(self, prices: Mapping[int, float]) -> None:
        history_take(quotes=self._quotes(prices), as_of=self.moment)

    def _quotes(self, prices: Mapping[int, float]) -> list[PriceQuote]:
        return self.timeline.quotes_at(self.run.position, prices, source=self.run.source, received_at=clock.now())

    def _waits(self) -> WalkWaits:
        rows = Order.objects.filter(cell__portfolio=self.run.portfolio).exclude(status__in=Order.ENDED)
        state = tuple(rows.order_by("id").values_list("pk", "status", "filled_quantity"))
        return WalkWaits(self.run.portfolio.account_id, (self.walk.point, tuple(self.walk.prices.items()), state))


def _but(rest: Rest, cell: Cell, refused: frozenset[tuple[int, str, Decimal | None]]) -> Rest:
    """Return what is to rest, unless the broker refused it."""
    if rest.is_order and (cell.pk, str(rest.side), numbers.price(rest.price)) in refused:
        return rest.withheld(Reason.BACKING_OFF)
    return rest


def _meets(order: Order, limit: float | None, price: float) -> bool:
    """Tell whether the market stands where an order fills: the broker has still to say what became of it."""
    if limit is None:
        return False
    return price >= limit if order.side == Order.Side.SELL else price <= limit
