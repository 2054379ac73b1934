"""What those who watch a portfolio are told after each commit, as typed payloads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from django.db.models import OuterRef, Subquery

from portfolios.models import Cell, Portfolio
from portfolios.selectors import cell_state, rules_of
from trading.feeds.sources import source_of
from trading.marketdata.calendars import exchange_calendar
from trading.models import Evaluation, Fill, Quote, ReplayRun
from trading.services.marks import value_at
from trading.services.triggers import cell_triggers, triggers_in_force
from volbal.common import numbers
from volbal.common.realtime import is_watched, portfolio_group, publish_on_commit
from volbal.strategy import CellError, NextTrigger, NextTriggers, StrategyParameters


@dataclass(frozen=True, slots=True)
class CellUpdate:
    """A cell as its page shows it. Numbers are exact texts with their scale; fractions are fractions."""

    id: int
    symbol: str
    status: str
    price: Decimal
    price_as_of: dt.datetime
    bid: Decimal | None
    ask: Decimal | None
    source: str
    is_synthetic: bool
    change_ratio: float | None
    value: Decimal
    cash: Decimal
    shares: Decimal
    receivable: Decimal
    stock_share: float | None
    anchor: Decimal | None
    buy_price: Decimal | None
    buy_quantity: Decimal | None
    buy_distance: float | None
    sell_price: Decimal | None
    sell_quantity: Decimal | None
    sell_distance: float | None
    stop_price: Decimal | None
    stop_quantity: Decimal | None
    stop_distance: float | None
    nearness: float | None
    action: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class FillUpdate:
    """A fill that was just booked."""

    cell_id: int
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    notional: Decimal


@dataclass(frozen=True, slots=True)
class ReplayUpdate:
    """How far a replay is."""

    id: int
    status: str
    position: int
    step_count: int
    steps_per_second: float


@dataclass(frozen=True, slots=True)
class PortfolioUpdate:
    """A portfolio after a tick (`tick`), or after its orders settled (`orders`)."""

    kind: Literal["tick", "orders"]
    portfolio_id: int
    as_of: dt.datetime | None
    value: Decimal
    replay: ReplayUpdate | None
    cells: tuple[CellUpdate, ...]
    fills: tuple[FillUpdate, ...]


def portfolio_publish(*, portfolio_id: int, kind: Literal["tick", "orders"], fills: Iterable[Fill] = ()) -> None:
    """Send a portfolio's update to those who watch it, after commit; one that nobody watches is not worked out."""
    portfolio = Portfolio.objects.only("tenant_id").get(pk=portfolio_id)
    group = portfolio_group(portfolio.tenant_id, portfolio_id)
    if is_watched(group):
        publish_on_commit(group, portfolio_update(portfolio_id=portfolio_id, kind=kind, fills=fills))


def portfolio_update(
    *, portfolio_id: int, kind: Literal["tick", "orders"], fills: Iterable[Fill] = ()
) -> PortfolioUpdate:
    """Return a portfolio as its pages show it, in a fixed number of queries."""
    portfolio = Portfolio.objects.select_related("account", "replay").get(pk=portfolio_id)
    cells = cells_live(portfolio)
    replay = getattr(portfolio, "replay", None)
    return PortfolioUpdate(
        kind=kind,
        portfolio_id=portfolio_id,
        as_of=max((cell.price_as_of for cell in cells), default=None),
        value=sum((cell.value for cell in cells), numbers.ZERO),
        replay=None if replay is None else replay_update(replay),
        cells=cells,
        fills=tuple(_fill_update(fill) for fill in fills if fill.order.cell.portfolio_id == portfolio_id),
    )


def replay_update(run: ReplayRun) -> ReplayUpdate:
    """Return how far a run is."""
    return ReplayUpdate(run.pk, run.status, run.position, run.step_count, float(run.steps_per_second))


def cells_live(portfolio: Portfolio) -> tuple[CellUpdate, ...]:
    """Return the portfolio's open cells that have a price, by symbol."""
    rows = Cell.objects.filter(portfolio=portfolio).exclude(status=Cell.Status.ARCHIVED)
    cells = list(rows.select_related("instrument", "parameters"))
    for cell in cells:
        cell.portfolio = portfolio
    quotes = _newest_quotes(portfolio, cells)
    priced = [cell for cell in cells if cell.instrument_id in quotes]
    days = {
        cell.pk: exchange_calendar(cell.instrument.exchange).day_of(quotes[cell.instrument_id].as_of) for cell in priced
    }
    parameters = triggers_in_force(
        priced, days, rules_of(priced, {cell.pk: quotes[cell.instrument_id].price or numbers.ZERO for cell in priced})
    )
    last = _last_evaluations(priced)
    return tuple(
        _cell_update(cell, quotes[cell.instrument_id], one, days[cell.pk], last.get(cell.pk))
        for cell, one in zip(priced, parameters, strict=True)
    )


def _newest_quotes(portfolio: Portfolio, cells: list[Cell]) -> dict[int, Quote]:
    rows = Quote.objects.filter(source=source_of(portfolio), instrument__in={cell.instrument_id for cell in cells})
    return {quote.instrument_id: quote for quote in rows if quote.price is not None}


def _last_evaluations(cells: list[Cell]) -> dict[int, Evaluation]:
    """Return each cell's newest evaluation, in one query."""
    newest = Evaluation.objects.filter(cell=OuterRef("pk")).order_by("-as_of").values("pk")[:1]
    ids = Cell.objects.filter(pk__in=[cell.pk for cell in cells]).annotate(newest=Subquery(newest)).values("newest")
    return {one.cell_id: one for one in Evaluation.objects.filter(pk__in=ids)}


def _cell_update(
    cell: Cell, quote: Quote, parameters: StrategyParameters, day: dt.date, last: Evaluation | None
) -> CellUpdate:
    price = quote.price or numbers.ZERO
    triggers = _next_triggers(cell, parameters, day, price)
    distances = _distance_of(triggers.buy, price), _distance_of(triggers.sell, price)
    value = value_at(cell, price)
    return CellUpdate(
        id=cell.pk,
        symbol=cell.instrument.symbol,
        status=cell.status,
        price=price,
        price_as_of=quote.as_of,
        bid=quote.bid,
        ask=quote.ask,
        source=quote.source,
        is_synthetic=quote.is_synthetic,
        change_ratio=None if quote.previous_close is None else float(price / quote.previous_close) - 1.0,
        value=value,
        cash=cell.cash,
        shares=cell.shares,
        receivable=cell.receivable,
        stock_share=float((value - cell.cash - cell.receivable) / value) if value > 0 else None,
        anchor=cell.anchor,
        buy_price=_price_of(triggers.buy),
        buy_quantity=_quantity_of(triggers.buy),
        buy_distance=distances[0],
        sell_price=_price_of(triggers.sell),
        sell_quantity=_quantity_of(triggers.sell),
        sell_distance=distances[1],
        stop_price=_price_of(triggers.stop),
        stop_quantity=_quantity_of(triggers.stop),
        stop_distance=_distance_of(triggers.stop, price),
        nearness=min((abs(one) for one in distances if one is not None), default=None),
        action="" if last is None else last.action,
        reason="" if last is None else last.reason,
        sentence="" if last is None else last.sentence,
    )


def _next_triggers(cell: Cell, parameters: StrategyParameters, day: dt.date, price: Decimal) -> NextTriggers:
    """Return what the rule would do next; nothing for a cell that a broker's report left below zero and halted."""
    try:
        return cell_triggers(cell, cell_state(cell, day), parameters, float(price))
    except CellError:
        return NextTriggers(None, None)


def _price_of(trigger: NextTrigger | None) -> Decimal | None:
    return None if trigger is None else numbers.price(trigger.price)


def _quantity_of(trigger: NextTrigger | None) -> Decimal | None:
    return None if trigger is None else numbers.shares(trigger.quantity)


def _distance_of(trigger: NextTrigger | None, price: Decimal) -> float | None:
    """Return how far a trigger is from the price, as a fraction of the price."""
    return None if trigger is None or not price else trigger.price / float(price) - 1.0


def _fill_update(fill: Fill) -> FillUpdate:
    order = fill.order
    return FillUpdate(order.cell_id, order.cell.instrument.symbol, order.side, fill.quantity, fill.price, fill.notional)
