"""A tick: quotes → corporate actions → gates → decisions → evaluations and order intents, in one transaction."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from portfolios.models import Cell, Portfolio
from portfolios.services.order_counts import cells_count_orders
from trading.feeds.base import PriceQuote, quotes_store
from trading.feeds.registry import REPLAY
from trading.marketdata.calendars import exchange_calendar
from trading.models import Evaluation, Order, Tick
from trading.services import decisions
from trading.services.corporate_actions import actions_apply
from trading.services.gates import GateFacts, cells_with_open_orders
from trading.services.marks import marks_store
from trading.services.pricing import MarketPrice, market_prices
from volbal.common import clock
from volbal.common.clock import require_aware


@dataclass(frozen=True, slots=True)
class TickOutcome:
    """What a tick committed."""

    tick_id: int
    account_id: int
    cell_count: int
    order_count: int


def tick_run(
    *, portfolio_id: int, as_of: dt.datetime, quotes: Iterable[PriceQuote], due: dt.datetime | None = None
) -> TickOutcome | None:
    """Look at every cell of a portfolio that has a quote, once for each `as_of`.

    Return None, with nothing done, in an archived portfolio and where that moment or a later one was looked at
    before; with `due`, the moment since when a tick is wanted, also where one was taken since.

    `as_of` is the prices' time: gates, days and entitlements use it. Evaluations, intents, marks and corporate
    actions are committed together or not at all. No broker is called here. Raises ValueError on a naive `as_of`.
    """
    as_of = require_aware(as_of, "as_of")
    started = time.perf_counter()
    by_instrument = {quote.instrument_id: quote for quote in quotes}
    with transaction.atomic():
        portfolio = (
            Portfolio.objects.select_for_update(of=("self",), no_key=True)
            .select_related("account__reconciliation")
            .get(pk=portfolio_id)
        )
        # Time goes forward only: a late tick would bring back older prices, days and counts of orders.
        taken = Tick.objects.filter(portfolio=portfolio, as_of__gte=as_of if due is None else min(due, as_of))
        if portfolio.is_archived or taken.exists():
            return None
        quotes_store(by_instrument.values())
        prices = market_prices(by_instrument.values(), as_of=as_of, is_replay=portfolio.feed == REPLAY)
        cells = _cells(portfolio, prices)
        days = {cell.pk: exchange_calendar(cell.instrument.exchange).day_of(as_of) for cell in cells}
        open_orders = cells_with_open_orders(portfolio)
        waiting = actions_apply(cells=cells, days=days, prices=prices, as_of=as_of, open_orders=open_orders)
        facts = GateFacts(portfolio, as_of, portfolio.feed == REPLAY, open_orders, waiting)
        active = [cell for cell in cells if cell.status == Cell.Status.ACTIVE]
        decided = decisions.decide_cells(active, days, prices, facts)
        tick = Tick.objects.create(
            tenant_id=portfolio.tenant_id,
            portfolio=portfolio,
            as_of=as_of,
            cell_count=len(decided),
            order_count=sum(one.is_order for one in decided),
            value=marks_store(cells=[cell for cell in cells if cell.pk not in waiting], days=days, prices=prices),
            duration_ms=round((time.perf_counter() - started) * 1000),
        )
        orders = _record(tick, portfolio, decided)
        cells_count_orders(cells=[order.cell for order in orders], days=days)
    return TickOutcome(tick.pk, portfolio.account_id, len(decided), len(orders))


def _cells(portfolio: Portfolio, prices: dict[int, MarketPrice]) -> list[Cell]:
    rows = Cell.objects.select_for_update(of=("self",), no_key=True).filter(portfolio=portfolio, instrument__in=prices)
    rows = rows.exclude(status=Cell.Status.ARCHIVED).select_related("instrument", "parameters")
    cells = list(rows.order_by("id"))
    for cell in cells:
        cell.portfolio = portfolio
    return cells


def _record(tick: Tick, portfolio: Portfolio, decided: list[decisions.CellDecision]) -> list[Order]:
    """Write every evaluation and the intents that follow from them, in two statements."""
    evaluations = Evaluation.objects.bulk_create([decisions.evaluation_of(tick, one) for one in decided])
    moment = clock.now()
    return Order.objects.bulk_create(
        [
            decisions.intent_of(portfolio, one, evaluation, moment)
            for one, evaluation in zip(decided, evaluations, strict=True)
            if one.is_order
        ]
    )
