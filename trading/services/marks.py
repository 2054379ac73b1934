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
from volbal.common.bulk import rows_write


def value_at(cell: Cell, last: Decimal) -> Decimal:
    """Return stock, cash and receivable together at a price, to the cent (strategy 1)."""
    value: Decimal = stock_value(cell.shares, last) + cell.cash + cell.receivable
    return value


def marks_store(*, cells: Iterable[Cell], days: dict[int, dt.date], prices: dict[int, MarketPrice]) -> Decimal:
    """Keep the newest mark of each cell's day, in one statement, and return the cells' value together.

    A price that is not believed marks nothing; its cells are worth what they were at the last accepted one.
    """
    worth = [(cell, prices[cell.instrument_id], value_at(cell, prices[cell.instrument_id].accepted)) for cell in cells]
    marked = [one for one in worth if one[1].is_believed]
    rows_write(
        DailyMark,
        {
            "tenant_id": [cell.tenant_id for cell, _, _ in marked],
            "cell_id": [cell.id for cell, _, _ in marked],
            "day": [days[cell.id] for cell, _, _ in marked],
            "close": [price.accepted for _, price, _ in marked],
            "value": [value for _, _, value in marked],
        },
        unique=["cell", "day"],
        update=["close", "value"],
    )
    return sum((value for _, _, value in worth), numbers.ZERO)


def mark_refresh(*, cell: Cell, day: dt.date | None = None) -> None:
    """Mark a cell, which the caller holds locked, again at its newest close after its books changed.

    What happened on a `day` that has no mark yet leaves those of the days before it alone.
    """
    mark = DailyMark.objects.filter(cell=cell).order_by("-day").first()
    if mark is not None and (day is None or mark.day >= day):
        mark.value = value_at(cell, mark.close)
        mark.save(update_fields=["value"])
