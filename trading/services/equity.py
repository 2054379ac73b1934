"""Daily value of cells, one by one and together, with what people moved in and out taken out of gains and losses.

The index grows by `value today / (value the day before + what came in today)`: money and shares moved on a day, and a
cell that opens on it, count as having been there since its start. So a deposit is no gain, a withdrawal no loss, and
neither changes how far the value stands below its peak.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from portfolios.models import LedgerEntry
from trading.marketdata.calendars import exchange_calendar
from trading.models import DailyMark
from trading.selectors.performance import FLOWS

Floats = NDArray[np.float64]
# So far back a rehearsal looks.
LOOK_BACK = dt.timedelta(days=366)
# What was moved by one entry: cash with receivable, shares, and their price where the entry names one.
Entry = tuple[float, float, Decimal | None]
MOVED = (*FLOWS, LedgerEntry.Kind.OPENING)


@dataclass(frozen=True, slots=True, eq=False)
class Equity:
    """Days in order, and for each cell a row of values at their end and a row of what came in on them, in currency.

    `later` is what was moved after the last day, by cell id; `opened` the cells whose ledger begins with an opening.
    """

    days: tuple[dt.date, ...]
    cells: Mapping[int, int]
    closes: Floats
    values: Floats
    flows: Floats
    later: Mapping[int, Sequence[Entry]] = field(default_factory=dict)
    opened: frozenset[int] = frozenset()

    def rows(self, cell_ids: Iterable[int]) -> list[int]:
        """Return the rows of cells, those never marked left out."""
        return [self.cells[cell_id] for cell_id in cell_ids if cell_id in self.cells]


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """How something's value went by days: value, and an index that knows no flows. Index 1 before the first day."""

    days: tuple[dt.date, ...]
    value: Floats
    index: Floats
    before: Floats

    @property
    def drawdown(self) -> Floats:
        """Return how far the index stands below its peak so far, a fraction of at least 0."""
        peak = np.maximum.accumulate(np.maximum(self.index, 1.0))
        return 1.0 - self.index / peak

    @property
    def loss(self) -> Floats:
        """Return each day's loss as a fraction of what there was, flows included; negative for a gain."""
        return 1.0 - np.divide(self.value, self.before, out=np.ones(len(self.value)), where=self.before > 0.0)

    @property
    def peak_day(self) -> dt.date | None:
        """Return the day of the last peak; None where it stands before the first day."""
        if not len(self.index) or float(self.index.max()) <= 1.0:
            return None
        return self.days[int(np.flatnonzero(self.index == self.index.max())[-1])]


def equity_of(exchanges: Mapping[int, str], until: dt.date, *, look_back: dt.timedelta | None = LOOK_BACK) -> Equity:
    """Return the daily values of cells, given as the exchange of each id, in two queries.

    A day without a mark of a cell has the one before. Without `look_back` all days there are.
    """
    first = dt.date.min if look_back is None else until - look_back
    rows = DailyMark.objects.filter(cell__among=exchanges, day__gt=first, day__lte=until)
    marks = list(rows.order_by("day").values_list("cell_id", "day", "close", "value"))
    days = tuple(sorted({day for _, day, _, _ in marks}))
    place = {day: index for index, day in enumerate(days)}
    row_of = {cell_id: index for index, cell_id in enumerate(sorted({cell_id for cell_id, _, _, _ in marks}))}
    values, closes = np.full((len(row_of), len(days)), np.nan), np.full((len(row_of), len(days)), np.nan)
    for cell_id, day, close, value in marks:
        values[row_of[cell_id], place[day]], closes[row_of[cell_id], place[day]] = float(value), float(close)
    equity = Equity(days, row_of, _carried(closes), _carried(values), np.zeros(values.shape))
    return _with_flows(equity, exchanges, first)


def growth_of(
    equity: Equity, rows: Sequence[int], *, since: dt.date | None = None, start_value: float | None = None
) -> Growth:
    """Return the growth of some of the cells together.

    With `since` and `start_value` in currency it begins on that day from that value, as after a resumption.
    """
    value, flow, days = equity.values[rows].sum(axis=0), equity.flows[rows].sum(axis=0), equity.days
    if since is not None:
        kept = [index for index, day in enumerate(days) if day >= since]
        value, flow, days = value[kept], flow[kept], tuple(days[index] for index in kept)
        if len(flow):
            flow = flow.copy()
            flow[0] = 0.0
    start = 0.0 if start_value is None else start_value
    before = np.concatenate([[start], value[:-1]]) + flow if len(value) else value
    grown = np.divide(value, before, out=np.ones(len(value)), where=before > 0.0)
    return Growth(days, value, np.cumprod(grown), before)


def _carried(table: Floats) -> Floats:
    """Return a table in which a day without a value has the one before; before the first there is none."""
    if not table.size:
        return table
    index = np.where(np.isnan(table), 0, np.arange(table.shape[1]))
    index = np.maximum.accumulate(index, axis=1)
    return np.take_along_axis(table, index, axis=1)


def _with_flows(equity: Equity, exchanges: Mapping[int, str], before: dt.date) -> Equity:
    """Count what came into each cell on the first day from then on that is marked.

    A cell that was opened so long ago that its days are cut off `before` came with its value on the first day kept.
    """
    flows, later, opened = equity.flows, defaultdict(list), set()
    first_marked = {cell_id: int(np.argmax(~np.isnan(equity.values[row]))) for cell_id, row in equity.cells.items()}
    entries = LedgerEntry.objects.filter(cell__among=exchanges, kind__in=MOVED).order_by("as_of", "id")
    for cell_id, kind, as_of, cash, receivable, shares, price in entries.values_list(
        "cell_id", "kind", "as_of", "cash", "receivable", "shares", "price"
    ):
        day = exchange_calendar(exchanges[cell_id]).day_of(as_of)
        if day <= before:
            continue
        opened |= {cell_id} if kind == LedgerEntry.Kind.OPENING else set()
        column = max(bisect_left(equity.days, day), first_marked.get(cell_id, len(equity.days)))
        if column == len(equity.days):
            later[cell_id].append((float(cash) + float(receivable), float(shares), price))
            continue
        row = equity.cells[cell_id]
        worth = float(shares) * (float(price) if price is not None else equity.closes[row, column])
        flows[row, column] += float(cash) + float(receivable) + worth
    for cell_id, row in equity.cells.items():
        if cell_id not in opened:
            flows[row, first_marked[cell_id]] = equity.values[row, first_marked[cell_id]]
    return replace(equity, values=np.nan_to_num(equity.values), later=dict(later), opened=frozenset(opened))
