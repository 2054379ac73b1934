"""Rehearsing a limit over the books' own history: marks, ledger, orders, evaluations and differences."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Q
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

from portfolios.models import Cell, LedgerEntry
from trading.marketdata.calendars import exchange_calendar
from trading.models import BrokerDifference, Evaluation, Order, TradingLimit
from trading.services.equity import Equity, equity_of
from trading.services.limit_cells import ABOVE_PORTFOLIOS, Members, limited_cells
from trading.services.limit_looks import open_age_seconds
from trading.services.reach import cells_at, place_named
from trading.services.rehearsals import DayValues, Episode, Rehearsal, by_day, by_drawdown, counts_in_window
from volbal.common import clock

Kind = TradingLimit.Kind
Action = TradingLimit.Action
Floats = NDArray[np.float64]
TRADES = (LedgerEntry.Kind.BUY, LedgerEntry.Kind.SELL, LedgerEntry.Kind.COMMISSION)
RESUME_AFTER_DAYS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Books:
    """Cash with receivable, and shares, of each cell at each day's end: all, and without the trades a halt forbids."""

    cash: Floats
    shares: Floats
    other_cash: Floats
    other_shares: Floats


def rehearsal(limit: TradingLimit, resume_after_days: int = RESUME_AFTER_DAYS) -> Rehearsal:
    """Return what a limit, stored or only proposed, would have done over the last year of what it limits."""
    cells = list(_cells(limit))
    if not cells:
        return Rehearsal(None, None, ())
    day = exchange_calendar(cells[0].instrument.exchange).day_of(_newest(cells))
    equity = equity_of({cell.pk: cell.instrument.exchange for cell in cells}, day)
    if not equity.days:
        return Rehearsal(None, None, ())
    rows = equity.rows(cell.pk for cell in cells)
    books = _books(cells, equity, limit.action)
    value, flow = equity.values[rows].sum(axis=0), equity.flows[rows].sum(axis=0)
    series = DayValues(equity.days, value, flow, lambda start, end: _still(equity, books, start, end))
    return Rehearsal(
        equity.days[0], equity.days[-1], tuple(_episodes(limit, cells, equity, books, series, resume_after_days))
    )


def _episodes(
    limit: TradingLimit,
    cells: Sequence[Cell],
    equity: Equity,
    books: Books,
    series: DayValues,
    resume_after_days: int,
) -> list[Episode]:
    threshold, acts = float(limit.threshold), limit.action != Action.ALERT
    if limit.kind == Kind.DRAWDOWN:
        return by_drawdown(series, threshold, resume_after_days, acts)
    if limit.kind in (Kind.STALE_DATA, Kind.REJECTS, Kind.DISAGREEMENT):
        return _of_events(limit, cells, resume_after_days)
    figures = _figures(limit, cells, equity, books, series)
    return by_day(series, figures, threshold, resume_after_days, acts)


def _figures(
    limit: TradingLimit, cells: Sequence[Cell], equity: Equity, books: Books, series: DayValues
) -> list[float]:
    """Return the figure of each day that a limit is held against."""
    if limit.kind == Kind.DAILY_LOSS:
        return [float(one) for one in 1.0 - series.ratios]
    if limit.kind == Kind.DAILY_NOTIONAL:
        return _notional_by_day(cells, equity.days)
    if limit.kind == Kind.ORDERS_IN_WINDOW:
        moments = Order.objects.filter(cell__in=cells).order_by("as_of").values_list("as_of", flat=True)
        return counts_in_window(list(moments), equity.days, limit.window_seconds or 1)
    stock = np.nan_to_num(books.shares * equity.closes)
    if limit.kind == Kind.EXPOSURE:
        return [float(one) for one in stock.sum(axis=0)]
    return [float(one) for one in _largest_share(cells, equity, stock, series.value)]


def _largest_share(cells: Sequence[Cell], equity: Equity, stock: Floats, value: Floats) -> Floats:
    rows: dict[int, list[int]] = {}
    for cell in cells:
        if cell.pk in equity.cells:
            rows.setdefault(cell.instrument_id, []).append(equity.cells[cell.pk])
    most = np.max([stock[own].sum(axis=0) for own in rows.values()], axis=0)
    share: Floats = np.divide(most, value, out=np.zeros(len(value)), where=value > 0.0)
    return share


def _notional_by_day(cells: Sequence[Cell], days: Sequence[dt.date]) -> list[float]:
    exchanges = {cell.pk: cell.instrument.exchange for cell in cells}
    total = dict.fromkeys(days, 0.0)
    for cell_id, as_of, notional in Order.objects.filter(cell__in=cells).values_list("cell_id", "as_of", "notional"):
        day = exchange_calendar(exchanges[cell_id]).day_of(as_of)
        if day in total:
            total[day] += float(notional)
    return [total[day] for day in days]


def _of_events(limit: TradingLimit, cells: Sequence[Cell], resume_after_days: int) -> list[Episode]:
    """Return the trips of kinds that are found event by event; what they would have saved nobody can say."""
    events = {Kind.STALE_DATA: _stale, Kind.REJECTS: _rejects, Kind.DISAGREEMENT: _differences}[Kind(limit.kind)]
    found: list[Episode] = []
    until: dict[str, dt.date] = {}
    for what, day, measured in events(limit, cells):
        if day > until.get(what, dt.date.min):
            until[what] = day + dt.timedelta(days=resume_after_days)
            found.append(Episode(day, until[what], measured, None, what))
    return found


def _stale(limit: TradingLimit, cells: Sequence[Cell]) -> list[tuple[str, dt.date, float]]:
    by_id = {cell.pk: cell for cell in cells}
    rows = Evaluation.objects.filter(cell__in=cells, reason="stale_price").order_by("as_of")
    found = []
    for cell_id, first, until, age in rows.values_list("cell_id", "as_of", "until", "age_seconds"):
        cell, as_of = by_id[cell_id], until or first
        open_age = open_age_seconds(cell.instrument.exchange, first - dt.timedelta(seconds=age), as_of)
        if open_age >= float(limit.threshold):
            found.append((str(cell), as_of.date(), open_age))
    return found


def _rejects(limit: TradingLimit, cells: Sequence[Cell]) -> list[tuple[str, dt.date, float]]:
    names, runs = {cell.pk: str(cell) for cell in cells}, dict.fromkeys((cell.pk for cell in cells), 0)
    ended = Order.objects.filter(cell__in=cells, status__in=Order.ENDED).order_by("id")
    found = []
    for cell_id, status, at in ended.values_list("cell_id", "status", "status_at"):
        runs[cell_id] = runs[cell_id] + 1 if status == Order.Status.REJECTED else 0
        if runs[cell_id] >= int(limit.threshold):
            found.append((names[cell_id], at.date(), float(runs[cell_id])))
            runs[cell_id] = 0
    return found


def _differences(limit: TradingLimit, cells: Sequence[Cell]) -> list[tuple[str, dt.date, float]]:
    rows = BrokerDifference.objects.filter(account__in={cell.portfolio.account_id for cell in cells})
    confirmed = rows.exclude(status=BrokerDifference.Status.SUSPECTED).select_related("account").order_by("id")
    return [(f"{one.account}: {one}", one.first_seen_at.date(), 1.0) for one in confirmed]


def _cells(limit: TradingLimit) -> Sequence[Cell]:
    """Return the cells that a limit is about, as it counts them."""
    rows = Cell.objects.exclude(status=Cell.Status.ARCHIVED).filter(cells_at(place_named(limit)))
    if limit.level in ABOVE_PORTFOLIOS:
        rows = rows.filter(portfolio__is_archived=False)
    by_id = {cell.pk: cell for cell in rows.select_related("instrument", "portfolio__account")}
    members = Members(limited_cells(Q(pk__among=by_id)))
    return [by_id[one.cell_id] for one in members.of(limit)]


def _newest(cells: Sequence[Cell]) -> dt.datetime:
    """Return the newest moment these cells were looked at, by the prices' time."""
    rows = Evaluation.objects.filter(cell__in=cells).order_by("-as_of").annotate(last=Coalesce("until", "as_of"))
    newest = rows.values_list("last", flat=True).first()
    return clock.now() if newest is None else newest


def _books(cells: Sequence[Cell], equity: Equity, action: str) -> Books:
    """Add the ledger up by days. A cell that only reduces would still have sold."""
    kept_out = [kind for kind in TRADES if action != Action.REDUCING or kind != LedgerEntry.Kind.SELL]
    exchanges = {cell.pk: cell.instrument.exchange for cell in cells}
    tables = [np.zeros(equity.values.shape) for _ in range(4)]
    entries = LedgerEntry.objects.filter(cell__in=list(equity.cells)).order_by("id")
    fields = ("cell_id", "kind", "as_of", "cash", "receivable", "shares")
    for cell_id, kind, as_of, cash, receivable, shares in entries.values_list(*fields):
        day = exchange_calendar(exchanges[cell_id]).day_of(as_of)
        column = next((place for place, one in enumerate(equity.days) if one >= day), None)
        if column is None:
            continue
        row, moved = equity.cells[cell_id], (float(cash) + float(receivable), float(shares))
        for table, amount in zip(tables[:2], moved, strict=True):
            table[row, column:] += amount
        if kind not in kept_out:
            for table, amount in zip(tables[2:], moved, strict=True):
                table[row, column:] += amount
    return Books(*tables)


def _still(equity: Equity, books: Books, start: int, end: int) -> float:
    """Return the value at the end of what was held at the start's end, without the trades kept out."""
    shares = books.shares[:, start] + books.other_shares[:, end] - books.other_shares[:, start]
    cash = books.cash[:, start] + books.other_cash[:, end] - books.other_cash[:, start]
    return float(np.nansum(shares * np.nan_to_num(equity.closes[:, end]) + cash))
