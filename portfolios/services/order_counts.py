"""Counting a cell's orders of the exchange's day (strategy 7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from portfolios.models import Cell


def cells_count_orders(*, cells: Iterable[Cell], days: dict[int, dt.date]) -> None:
    """Count one more order for each cell on its exchange's day, in one statement.

    `days` holds that day by cell id. Call it in the transaction of the orders, with the cells locked; the order is
    the record of the change.
    """
    counted = list(cells)
    for cell in counted:
        if cell.orders_day != days[cell.pk]:
            cell.orders_day, cell.orders_today = days[cell.pk], 0
        cell.orders_today += 1
    Cell.objects.bulk_update(counted, ["orders_day", "orders_today"])
