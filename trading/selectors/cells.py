"""Cells as pages show them: what they hold, what it is worth, and the next prices at which they act."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portfolios.models import Cell, Portfolio
from portfolios.selectors import cell_state, rules_of
from portfolios.standings import Standing, TradingState, trading_states
from trading.feeds.sources import source_of
from trading.marketdata.calendars import exchange_calendar
from trading.models import DailyMark, Evaluation, Quote, ReplayRun
from trading.selectors.performance import NO_RETURNS, History, Returns, histories, returns
from trading.selectors.quotes import QuoteView, quote_view
from trading.selectors.times import exchange_zone
from trading.services.marks import value_at
from trading.services.triggers import cell_triggers, triggers_in_force
from volbal.common import clock, numbers
from volbal.strategy import CellState, NextTrigger, StrategyParameters, decide
from volbal.strategy.errors import CellError


@dataclass(frozen=True, slots=True)
class Level:
    """A price at which the cell would act, how many shares it would move, and how far that is as a fraction.

    Before the first price nobody knows how far.
    """

    price: float
    quantity: float
    distance: float | None


@dataclass(frozen=True, slots=True)
class LastDecision:
    """The newest evaluation of a cell."""

    action: str
    reason: str
    sentence: str
    as_of: dt.datetime


@dataclass(frozen=True, slots=True)
class CellView:
    """A cell at its newest price. Money is currency to the cent; shares of value and changes are fractions.

    `price` and what follows from it is None before the first quote.
    """

    id: int
    symbol: str
    label: str
    instrument_name: str
    portfolio_id: int
    portfolio_name: str
    mode: str
    status: str
    status_reason: str
    held: Standing
    is_over: bool
    exchange_zone: str
    currency: str
    price: Decimal | None
    previous_close: Decimal | None
    source: str
    is_synthetic: bool
    as_of: dt.datetime | None
    cash: Decimal
    shares: Decimal
    receivable: Decimal
    value: Decimal
    previous_value: Decimal | None
    opening_value: Decimal
    stock_share: float | None
    min_stock: float
    max_stock: float
    anchor: Decimal | None
    anchor_set_at: dt.datetime | None
    average_cost: Decimal
    orders_today: int
    buy: Level | None
    sell: Level | None
    stop: Level | None
    last: LastDecision | None
    quote: QuoteView | None
    max_spread_bps: Decimal | None
    returns: Returns
    version: int

    @property
    def key(self) -> str:
        """Return its id as live keys write it."""
        return str(self.id)

    @property
    def change(self) -> Decimal | None:
        """Return the price's move since the previous close, in currency."""
        return None if self.price is None or self.previous_close is None else self.price - self.previous_close

    @property
    def change_ratio(self) -> float | None:
        """Return the price's move since the previous close, as a fraction."""
        return float(self.change / self.previous_close) if self.change is not None and self.previous_close else None

    @property
    def nearness(self) -> float | None:
        """Return how far the price is from the nearer of the next buy and sell, as a fraction; None for neither."""
        known = [level.distance for level in (self.buy, self.sell) if level is not None]
        return min((abs(distance) for distance in known if distance is not None), default=None)

    @property
    def acts(self) -> bool:
        """Whether the cell trades at all at present."""
        return self.standing in (Cell.Status.ACTIVE, TradingState.REDUCING)

    @property
    def standing(self) -> str:
        """Return its status, or `halted` or `reducing` with what holds it, or `finished` with its replay."""
        if self.status == Cell.Status.ARCHIVED:
            return self.status
        if self.is_over and self.status == Cell.Status.ACTIVE:
            return "finished"
        return self.held.state if self.held.is_halted or self.status == Cell.Status.ACTIVE else self.status

    @property
    def is_held(self) -> bool:
        """Whether something at the cell's own level halts it or lets it only sell."""
        return any(one.cell_id == self.id for one in self.held.held_by)

    @property
    def anchor_distance(self) -> float | None:
        """Return how far the price is from the anchor, as a fraction of the anchor."""
        return float(self.price / self.anchor) - 1.0 if self.price is not None and self.anchor else None


def cell_rows(portfolios: Iterable[Portfolio], *, archived: bool = False) -> QuerySet[Cell]:
    """Return the cells of portfolios with all that `cell_views` reads; archived ones only where asked."""
    days = DailyMark.objects.filter(cell=OuterRef("pk")).order_by("-day")
    rows = Cell.objects.filter(portfolio__in=portfolios)
    return (
        (rows if archived else rows.exclude(status=Cell.Status.ARCHIVED))
        .select_related("instrument", "parameters", "portfolio__account", "portfolio__replay")
        .annotate(previous_value=Subquery(days.values("value")[1:2]))
        .order_by("instrument__symbol", "id")
    )


def cell_views(rows: Iterable[Cell]) -> list[CellView]:
    """Return cells as pages show them, those nearest to acting first, in a fixed number of queries."""
    cells = list(rows)
    quotes, decisions, standings = _quotes(cells), _decisions(cells), trading_states(cells)
    days = {cell.pk: _day(cell, quotes) for cell in cells}
    past = histories(cells, days)
    own = {cell.pk: quotes.get((source_of(cell.portfolio), cell.instrument_id)) for cell in cells}
    known = {cell_id: quote.price for cell_id, quote in own.items() if quote is not None and quote.price is not None}
    rules = triggers_in_force(cells, days, rules_of(cells, known))
    views = []
    for cell, rule in zip(cells, rules, strict=True):
        quote, day = quotes.get((source_of(cell.portfolio), cell.instrument_id)), days[cell.pk]
        views.append(_view(cell, rule, quote, day, decisions.get(cell.pk), past.get(cell.pk), standings[cell.pk]))
    return sorted(views, key=_order)


def present_quote(cell: Cell) -> Quote | None:
    """Return a cell's newest quote, if it has one."""
    return Quote.objects.filter(source=source_of(cell.portfolio), instrument=cell.instrument_id).first()


def present_price(cell: Cell) -> Decimal | None:
    """Return a cell's newest price, if it has one."""
    quote = present_quote(cell)
    return None if quote is None else quote.price


def present_moment(cell: Cell) -> dt.datetime:
    """Return the time a person's act on a cell is dated: the replay's own, else the wall clock's."""
    replay = getattr(cell.portfolio, "replay", None)
    if replay is None:
        return clock.now()
    return replay.as_of or cell.opened_at or replay.first_as_of


def present_day(cell: Cell) -> dt.date:
    """Return the exchange's day at a cell's present moment."""
    return exchange_calendar(cell.instrument.exchange).day_of(present_moment(cell))


def _order(view: CellView) -> tuple[bool, bool, float, str]:
    return (not view.acts, view.nearness is None, view.nearness or 0.0, view.symbol)


def _quotes(cells: Sequence[Cell]) -> dict[tuple[str, int], Quote]:
    sources = {source_of(cell.portfolio) for cell in cells}
    held = {cell.instrument_id for cell in cells}
    rows = Quote.objects.filter(source__in=sources, instrument__in=held, price__isnull=False)
    return {(quote.source, quote.instrument_id): quote for quote in rows}


def _decisions(cells: Sequence[Cell]) -> dict[int, LastDecision]:
    newest = Evaluation.objects.filter(cell=OuterRef("pk")).order_by("-as_of").values("pk")[:1]
    chosen = Cell.objects.filter(pk__in=[cell.pk for cell in cells]).values_list(Subquery(newest))
    rows = Evaluation.objects.filter(pk__in=chosen).annotate(last=Coalesce("until", "as_of"))
    values = rows.values_list("cell_id", "action", "reason", "sentence", "last")
    return {cell_id: LastDecision(*decision) for cell_id, *decision in values}


def _day(cell: Cell, quotes: dict[tuple[str, int], Quote]) -> dt.date:
    quote = quotes.get((source_of(cell.portfolio), cell.instrument_id))
    moment = quote.as_of if quote is not None else cell.opened_at or cell.created_at
    return exchange_calendar(cell.instrument.exchange).day_of(moment)


def _view(
    cell: Cell,
    rule: StrategyParameters,
    quote: Quote | None,
    day: dt.date,
    last: LastDecision | None,
    past: History | None,
    held: Standing,
) -> CellView:
    price = None if quote is None else quote.price
    replay: ReplayRun | None = getattr(cell.portfolio, "replay", None)
    value = cell.opening_value if price is None else value_at(cell, price)
    buy, sell, stop, share = next_levels(cell, rule, day, price)
    return CellView(
        id=cell.pk,
        symbol=cell.instrument.symbol,
        label=cell.name,
        instrument_name=cell.instrument.name,
        portfolio_id=cell.portfolio_id,
        portfolio_name=cell.portfolio.name,
        mode=cell.portfolio.mode,
        status=cell.status,
        status_reason=cell.status_reason,
        held=held,
        is_over=replay is not None and replay.status == ReplayRun.Status.FINISHED,
        exchange_zone=exchange_zone(cell.instrument.exchange).key,
        currency=cell.instrument.currency,
        price=price,
        previous_close=None if quote is None else quote.previous_close,
        source=source_of(cell.portfolio),
        is_synthetic=quote is not None and quote.is_synthetic,
        as_of=None if quote is None else quote.as_of,
        cash=cell.cash,
        shares=cell.shares,
        receivable=cell.receivable,
        value=value,
        previous_value=getattr(cell, "previous_value", None),
        opening_value=cell.opening_value,
        stock_share=share,
        min_stock=rule.min_stock,
        max_stock=rule.max_stock,
        anchor=cell.anchor,
        anchor_set_at=cell.anchor_set_at,
        average_cost=cell.average_cost,
        orders_today=cell.orders_today if cell.orders_day == day else 0,
        buy=buy,
        sell=sell,
        stop=stop,
        last=last,
        quote=None if quote is None else quote_view(quote, moment=present_moment(cell), is_replay=replay is not None),
        max_spread_bps=cell.max_spread_bps,
        returns=returns(past, value=float(value), price=float(price)) if price is not None else NO_RETURNS,
        version=cell.version,
    )


def next_levels(
    cell: Cell, rule: StrategyParameters, day: dt.date, price: Decimal | None
) -> tuple[Level | None, Level | None, Level | None, float | None]:
    """Return the next buy, the next sell, the protective stop and the stock share, as the rule says.

    A cell whose broker reported more than it held is below zero and halted; of it the rule is asked nothing.
    """
    try:
        state = cell_state(cell, day)
    except CellError:
        return None, None, None, None
    return levels_of(cell, state, rule, numbers.to_float(price))


def levels_of(
    cell: Cell, state: CellState, rule: StrategyParameters, price: float | None
) -> tuple[Level | None, Level | None, Level | None, float | None]:
    """Return the next buy, the next sell, the stop and the stock share of a cell in any state, real or proposed."""
    triggers = cell_triggers(cell, state, rule, price)
    share = None if price is None else decide(price, state, rule).stock_share
    buy, sell, stop = (_level(one, price) for one in (triggers.buy, triggers.sell, triggers.stop))
    return buy, sell, stop, share


def _level(trigger: NextTrigger | None, price: float | None) -> Level | None:
    if trigger is None:
        return None
    return Level(trigger.price, trigger.quantity, None if price is None else trigger.price / price - 1.0)
