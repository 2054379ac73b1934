"""A tick: quotes → corporate actions → gates → decisions → evaluations and order intents, in one transaction."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from django.db import transaction

from portfolios.models import Cell, Portfolio
from portfolios.services.order_counts import cells_count_orders
from portfolios.standings import trading_states
from trading.feeds.base import PriceQuote
from trading.feeds.registry import REPLAY, require_real_prices
from trading.marketdata.calendars import exchange_calendar
from trading.models import Evaluation, Order, Tick
from trading.services import decisions
from trading.services.corporate_actions import actions_apply
from trading.services.exposure import buy_rooms
from trading.services.gate_spans import refusals_prolong
from trading.services.gates import GateFacts, account_blocks, open_orders
from trading.services.marks import marks_store
from trading.services.order_plans import plans_look
from trading.services.pricing import MarketPrice, history_take, prices_judge
from trading.services.rejects import cells_backing_off
from trading.services.resting_orders import rests_lay
from trading.services.resting_ticks import asked_at_close_keep
from trading.services.slices import slice_submitted
from trading.services.unheard import unheard_prices, unheard_tell
from volbal.common import clock
from volbal.common.bulk import rows_write
from volbal.common.clock import require_aware


@dataclass(frozen=True, slots=True)
class TickOutcome:
    """What a tick committed; `order_count` are the orders that its sender has to send or cancel."""

    tick_id: int
    account_id: int
    cell_count: int
    order_count: int


def tick_run(
    *, portfolio_id: int, as_of: dt.datetime, quotes: Iterable[PriceQuote], due: dt.datetime | None = None
) -> TickOutcome | None:
    """Look at every cell of a portfolio, in a replay at those that have a bar, once for each `as_of`.

    Return None, with nothing done, in an archived portfolio and where that moment or a later one was looked at
    before; with `due`, the moment since when a tick is wanted, also where one was taken since.

    `as_of` is the prices' time: gates, days and entitlements use it. Evaluations, intents, marks and corporate
    actions are committed together or not at all. No broker is called here. Raises ValueError on a naive `as_of`.
    """
    as_of = require_aware(as_of, "as_of")
    started = time.perf_counter()
    by_instrument = {quote.instrument_id: quote for quote in quotes}
    judged = _judged(portfolio_id, by_instrument.values(), as_of)
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
        prices = history_take(quotes=by_instrument.values(), as_of=as_of) if judged is None else judged
        every_cell = _cells(portfolio, prices)
        unheard = unheard_prices(portfolio=portfolio, cells=every_cell, prices=prices, as_of=as_of)
        cells = [cell for cell in every_cell if cell.instrument_id in prices]
        days = _days(every_cell, as_of)
        plans = plans_look(cells, days, as_of)
        orders = open_orders(portfolio)
        waiting = actions_apply(cells=cells, days=days, prices=prices, as_of=as_of, open_orders=orders.cells)
        known = prices | unheard
        active = [cell for cell in every_cell if cell.status == Cell.Status.ACTIVE and cell.instrument_id in known]
        facts = GateFacts(
            portfolio,
            as_of,
            portfolio.feed == REPLAY,
            orders.cells,
            waiting,
            trading_states(active),
            cells_backing_off(portfolio),
            buy_rooms(portfolio, active, known),
            plans,
            account_blocks(portfolio.account),
            orders.resting,
        )
        decided = decisions.decide_cells(active, days, known, facts)
        tick = Tick.objects.create(
            tenant_id=portfolio.tenant_id,
            portfolio=portfolio,
            as_of=as_of,
            cell_count=len(decided),
            order_count=sum(one.is_order for one in decided),
            value=marks_store(cells=[cell for cell in cells if cell.id not in waiting], days=days, prices=prices),
        )
        ordering = _record(tick, portfolio, decided, days)
        unheard_tell(decided=decided, as_of=as_of)
        # An order worked in slices counts once, with its first; where orders rest, one counts once it fills.
        counted = [one for one in ordering if one.plan is None or one.plan.submitted == 0]
        cells_count_orders(cells=[one.cell for one in counted if one.cell.execution == Cell.Execution.WATCH], days=days)
        laid = 0 if facts.is_replay else rests_lay_decided(portfolio=portfolio, decided=decided, as_of=as_of)
        Tick.objects.filter(pk=tick.pk).update(duration_ms=round((time.perf_counter() - started) * 1000))
    return TickOutcome(tick.pk, portfolio.account_id, len(decided), len(ordering) + laid)


def rests_lay_decided(*, portfolio: Portfolio, decided: Collection[decisions.CellDecision], as_of: dt.datetime) -> int:
    """Lay what rests at triggers as it was decided, and return how many orders are to be sent or cancelled."""
    asked_at_close_keep({one.cell.pk: one.asked_on for one in decided if one.asked_on is not None})
    resting = [one.rests for one in decided if one.rests is not None]
    return rests_lay(portfolio=portfolio, rests=resting, as_of=as_of).to_send if resting else 0


def _judged(portfolio_id: int, quotes: Collection[PriceQuote], as_of: dt.datetime) -> dict[int, MarketPrice] | None:
    """Judge and keep the quotes, which every portfolio on their source shares, before anything of this one is held.

    Return None in a replay, whose prices are its own. Raises Refused where invented prices reach a live portfolio.
    """
    portfolio = Portfolio.objects.select_related("account").get(pk=portfolio_id)
    require_real_prices(portfolio, quotes)
    return None if portfolio.feed == REPLAY else prices_judge(quotes=quotes, as_of=as_of)


def _cells(portfolio: Portfolio, prices: dict[int, MarketPrice]) -> list[Cell]:
    """Return the open cells, each held until the transaction ends; of a replay those that have a bar now."""
    rows = Cell.objects.select_for_update(of=("self",), no_key=True).filter(portfolio=portfolio)
    if portfolio.feed == REPLAY:
        rows = rows.filter(instrument__among=prices)
    # No join of parameters: a row that had to be waited for may refer to newer ones than were joined.
    rows = rows.exclude(status=Cell.Status.ARCHIVED).select_related("instrument")
    cells = list(rows.order_by("id"))
    for cell in cells:
        cell.portfolio = portfolio
    return cells


def _days(cells: list[Cell], as_of: dt.datetime) -> dict[int, dt.date]:
    """Return the exchange's day of each cell, by cell id."""
    exchanges = {cell.instrument.exchange for cell in cells}
    known = {exchange: exchange_calendar(exchange).day_of(as_of) for exchange in exchanges}
    return {cell.id: known[cell.instrument.exchange] for cell in cells}


def _record(
    tick: Tick, portfolio: Portfolio, decided: list[decisions.CellDecision], days: dict[int, dt.date]
) -> list[decisions.CellDecision]:
    """Write every evaluation and the intents that follow from them, and return the decisions that order.

    A refusal that only goes on prolongs the row there is; in a replay each look has its own.
    """
    moment = clock.now()
    going_on = frozenset() if portfolio.feed == REPLAY else refusals_prolong(decided=decided, as_of=tick.as_of)
    new = [one for one in decided if one.cell.id not in going_on] if going_on else decided
    rows_write(Evaluation, decisions.evaluation_columns(tick, new, moment))
    working = [one for one in decided if one.is_order or one.plan is not None]
    if not working:
        return []
    of_cell = dict(Evaluation.objects.filter(tick=tick).order_by().values_list("cell_id", "pk"))
    working = [
        one if one.schedule is None else _planned(one, of_cell[one.cell.id], tick, days[one.cell.id]) for one in working
    ]
    ordering = [one for one in working if one.is_order]
    Order.objects.bulk_create(
        [decisions.intent_of(portfolio, one, of_cell[one.cell.id], tick, moment) for one in ordering]
    )
    for one in working:
        if one.plan is not None:
            slice_submitted(plan=one.plan, as_of=tick.as_of)
    return ordering


def _planned(one: decisions.CellDecision, evaluation_id: int, tick: Tick, day: dt.date) -> decisions.CellDecision:
    """Write the order that a decision works in slices, and return the decision as that of its first."""
    plan = decisions.plan_of(one, evaluation_id, tick, day)
    plan.save(force_insert=True)
    return replace(one, plan=plan)
