"""Daily value of cells, one by one and together, with what people moved in and out taken out of gains and losses.

The index grows by `value today / (value the day before + what came in today)`: money and shares moved on a day, and a
cell that opens on it, count as having been there since its start. So a deposit is no gain, a withdrawal no loss, and
neither changes how far the value stands below its peak.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolios.models import Cell, LedgerEntry
from trading.marketdata.calendars import exchange_calendar
from trading.models import DailyMark
from trading.selectors.performance import FLOWS

Floats = NDArray[np.float64]
# A peak is looked for so far back.
LOOK_BACK = dt.timedelta(days=366)
MOVED = (*FLOWS, LedgerEntry.Kind.OPENING)


@dataclass(frozen=True, slots=True, eq=False)
class Equity:
    """Days in order, and for each cell a row of values at their end and a row of what came in on them, in currency."""

    days: tuple[dt.date, ...]
    cells: Mapping[int, int]
    closes: Floats
    values: Floats
    flows: Floats

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


def equity_of(cells: Sequence[Cell], until: dt.date) -> Equity:
    """Return the daily values of cells, which carry their instrument, in two queries. A day without a mark of a cell
    has the one before."""
    rows = DailyMark.objects.filter(cell__in=cells, day__gt=until - LOOK_BACK, day__lte=until)
    marks = list(rows.order_by("day").values_list("cell_id", "day", "close", "value"))
    days = tuple(sorted({day for _, day, _, _ in marks}))
    place = {day: index for index, day in enumerate(days)}
    marked = {cell.pk for cell in cells} & {cell_id for cell_id, _, _, _ in marks}
    row_of = {cell_id: index for index, cell_id in enumerate(sorted(marked))}
    values, closes = np.full((len(row_of), len(days)), np.nan), np.full((len(row_of), len(days)), np.nan)
    for cell_id, day, close, value in marks:
        values[row_of[cell_id], place[day]], closes[row_of[cell_id], place[day]] = float(value), float(close)
    values, closes = _carried(values), _carried(closes)
    flows = _flows(cells, row_of, place, values, closes, until - LOOK_BACK)
    return Equity(days, row_of, closes, np.nan_to_num(values), flows)


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


def _flows(
    cells: Sequence[Cell],
    row_of: Mapping[int, int],
    place: Mapping[dt.date, int],
    values: Floats,
    closes: Floats,
    before: dt.date,
) -> Floats:
    """Return what came into each cell on each day, counted on the first day that is marked from then on.

    A cell that was opened so long ago that its days are cut off `before` came with its value on the first day kept.
    """
    flows = np.zeros(values.shape)
    exchanges = {cell.pk: cell.instrument.exchange for cell in cells}
    days = sorted(place)
    entries = LedgerEntry.objects.filter(cell__in=list(row_of), kind__in=MOVED).order_by("as_of", "id")
    opened = set()
    for cell_id, kind, as_of, cash, receivable, shares, price in entries.values_list(
        "cell_id", "kind", "as_of", "cash", "receivable", "shares", "price"
    ):
        row, day = row_of[cell_id], exchange_calendar(exchanges[cell_id]).day_of(as_of)
        column = next((place[one] for one in days if one >= day and not np.isnan(values[row, place[one]])), None)
        if column is None or day <= before:
            continue
        opened |= {cell_id} if kind == LedgerEntry.Kind.OPENING else set()
        worth = float(shares) * (float(price) if price is not None else closes[row, column])
        flows[row, column] += float(cash) + float(receivable) + worth
    for cell_id, row in row_of.items():
        first = int(np.argmax(~np.isnan(values[row])))
        if cell_id not in opened:
            flows[row, first] = values[row, first]
    return flows
