"""Dividends and splits as each cell takes them, once, before the first evaluation of their date (strategy 8)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects

from portfolios.models import Cell, Instrument, Portfolio
from portfolios.selectors import present_moment
from portfolios.services.origin import Origin
from trading.marketdata.calendars import exchange_calendar
from trading.models import ActionApplication
from trading.services.action_booking import ActionBook
from trading.services.action_facts import is_behind, plans_due
from trading.services.gates import cells_with_open_orders
from trading.services.marks import mark_refresh
from trading.services.pricing import MarketPrice

ORIGIN = Origin(task="corporate actions")


def actions_apply(
    *,
    cells: list[Cell],
    days: dict[int, dt.date],
    prices: dict[int, MarketPrice],
    as_of: dt.datetime,
    open_orders: frozenset[int],
) -> frozenset[int]:
    """Apply what is due to each cell, ex-dates and splits first, then payments; call it inside the tick's transaction.

    What was learned late and what a late fill or a correction changed is booked with it. Return the cells that must
    wait because an order is still open across a split. `cells` are locked, carry instrument and
    portfolio, and are up to date afterwards. No query where every cell has looked at all there is; two and a write on
    a new day without an action; a fixed number on any other.
    """
    return _bring_up(cells=cells, days=days, prices=prices, as_of=as_of, open_orders=open_orders, origin=ORIGIN)


def cells_settle(*, instrument: Instrument, origin: Origin) -> int:
    """Book at once what corrections changed for every cell in scope that has taken the instrument's actions.

    Each portfolio's cells are booked in a transaction of their own, each correction once however often this runs;
    archived cells keep their books closed. A cell waits for its next tick where an order is open across a split.
    Return how many cells were looked at.
    """
    held = Cell.objects.filter(instrument=instrument, actions_through__isnull=False)
    held = held.exclude(status=Cell.Status.ARCHIVED).exclude(portfolio__is_archived=True)
    portfolios = Portfolio.objects.filter(pk__in=held.order_by().values("portfolio_id")).select_related("account")
    return sum(_settle(portfolio, held, origin) for portfolio in portfolios)


def _settle(portfolio: Portfolio, held: QuerySet[Cell], origin: Origin) -> int:
    with transaction.atomic():
        rows = held.filter(portfolio=portfolio).select_for_update(of=("self",), no_key=True)
        cells = list(rows.select_related("instrument").order_by("id"))
        for cell in cells:
            cell.portfolio = portfolio
        _bring_up(
            cells=cells,
            days={cell.pk: cell.actions_through for cell in cells if cell.actions_through is not None},
            prices={},
            as_of=present_moment(portfolio),
            open_orders=cells_with_open_orders(portfolio),
            origin=origin,
        )
        for cell in cells:
            mark_refresh(cell=cell)
    return len(cells)


def _bring_up(
    *,
    cells: list[Cell],
    days: dict[int, dt.date],
    prices: dict[int, MarketPrice],
    as_of: dt.datetime,
    open_orders: frozenset[int],
    origin: Origin,
) -> frozenset[int]:
    """Bring cells up to their day in `days` and return those that must wait."""
    behind = [cell for cell in cells if is_behind(cell, days[cell.pk])]
    if not behind:
        return frozenset()
    plans = plans_due(behind, days)
    waiting = frozenset(plan.cell.pk for plan in plans if plan.cell.pk in open_orders and plan.is_split_change)
    ready = [cell for cell in behind if cell.pk not in waiting]
    through = {cell.pk: cell.actions_through for cell in ready}
    _look_through(ready, days)
    book = ActionBook(origin=origin, as_of=as_of)
    book.take([plan for plan in plans if plan.cell.pk not in waiting])
    unpaid = _unpaid(ready, days)
    if unpaid:
        prefetch_related_objects([cell for cell in ready if cell.reinvest_dividends], "parameters")
    book.pay(unpaid, ready, days=days, through=through, prices=prices)
    book.write()
    return waiting


def dividends_reinvest(*, cells: Sequence[Cell], prices: Mapping[int, MarketPrice], as_of: dt.datetime) -> None:
    """Reinvest at these prices what was paid at the same moment before there was one; call it once for a moment.

    A replay that walks its bar pays before the walk and reinvests at the close after it, as a backtest does
    (strategy 8). No query where no cell reinvests.
    """
    reinvesting = [cell for cell in cells if cell.reinvest_dividends]
    if not reinvesting:
        return
    paid = ActionApplication.objects.filter(
        cell__in=[cell.pk for cell in reinvesting], paid_at=as_of, pay_date__isnull=False
    )
    book = ActionBook(origin=ORIGIN, as_of=as_of)
    accepted = {key: price.accepted for key, price in prices.items()}
    book.reinvest(paid.select_related("action"), reinvesting, accepted)
    book.write()


def splits_due(cells: list[Cell], moment: dt.datetime) -> frozenset[int]:
    """Return the ids of cells to which a split is to be applied at their next tick, in a fixed number of queries."""
    days = {cell.pk: exchange_calendar(cell.instrument.exchange).day_of(moment) for cell in cells}
    behind = {cell.pk: cell for cell in cells if is_behind(cell, days[cell.pk])}
    plans = plans_due(list(behind.values()), days)
    return frozenset(plan.cell.pk for plan in plans if plan.is_split_change)


def _look_through(cells: Sequence[Cell], days: Mapping[int, dt.date]) -> None:
    """Note how far each cell has looked: no change of what it owns, and no event."""
    ahead = [cell for cell in cells if cell.actions_version != cell.instrument.actions_version]
    rest = {cell.pk for cell in cells} - {cell.pk for cell in ahead}
    for cell in cells:
        cell.actions_through = max(days[cell.pk], cell.actions_through or days[cell.pk])
        cell.actions_version = cell.instrument.actions_version
        cell.actions_recheck_from = None
    by_day: dict[dt.date, list[int]] = {}
    for cell in cells:
        if cell.pk in rest and cell.actions_through is not None:
            by_day.setdefault(cell.actions_through, []).append(cell.pk)
    for day, ids in by_day.items():
        Cell.objects.filter(pk__in=ids).update(actions_through=day, actions_recheck_from=None)
    if ahead:
        columns = ["actions_through", "actions_version", "actions_recheck_from"]
        Cell.objects.bulk_update(ahead, columns, batch_size=500)


def _unpaid(cells: Sequence[Cell], days: Mapping[int, dt.date]) -> list[ActionApplication]:
    """Return the dividends of cells whose pay date has come, as they stood before this tick."""
    if not cells:
        return []
    rows = ActionApplication.objects.filter(
        cell__among=[cell.pk for cell in cells],
        paid_at__isnull=True,
        pay_date__lte=max(days[cell.pk] for cell in cells),
    )
    return list(rows.select_related("action"))
