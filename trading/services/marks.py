"""Daily marks: what each cell was worth, kept as the day goes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from portfolios.models import Cell
from portfolios.services.opening import stock_value
from trading.models import DailyMark
from trading.services.pricing import MarketPrice
from volbal.common import numbers


def value_at(cell: Cell, last: Decimal) -> Decimal:
    """Return stock, cash and receivable together at a price, to the cent (strategy 1)."""
    value: Decimal = stock_value(cell.shares, last) + cell.cash + cell.receivable
    return value


def marks_store(*, cells: Iterable[Cell], days: dict[int, dt.date], prices: dict[int, MarketPrice]) -> Decimal:
    """Keep the newest mark of each cell's day, in one statement, and return the cells' value together."""
    marks = [
        DailyMark(
            tenant_id=cell.tenant_id,
            cell=cell,
            day=days[cell.pk],
            close=prices[cell.instrument_id].price,
            value=value_at(cell, prices[cell.instrument_id].price),
        )
        for cell in cells
    ]
    DailyMark.objects.bulk_create(
        marks, update_conflicts=True, unique_fields=["cell", "day"], update_fields=["close", "value"]
    )
    return sum((mark.value for mark in marks), numbers.ZERO)


def mark_refresh(*, cell: Cell) -> None:
    """Mark a cell, which the caller holds locked, again at its newest close after a fill."""
    mark = DailyMark.objects.filter(cell=cell).order_by("-day").first()
    if mark is not None:
        mark.value = value_at(cell, mark.close)
        mark.save(update_fields=["value"])
