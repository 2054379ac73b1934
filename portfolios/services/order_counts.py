"""Counting a cell's orders of the exchange's day (strategy 7)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Case, F, Value, When

from portfolios.models import Cell


def cells_count_orders(*, cells: Iterable[Cell], days: dict[int, dt.date]) -> None:
    """Count one more order for each cell on its exchange's day, in one statement for each day there is.

    `days` holds that day by cell id. Call it in the transaction of the orders, with the cells locked; the order is
    the record of the change.
    """
    by_day: dict[dt.date, list[int]] = defaultdict(list)
    for cell in cells:
        by_day[days[cell.pk]].append(cell.pk)
    for day, ids in by_day.items():
        counted = Case(When(orders_day=day, then=F("orders_today") + 1), default=Value(1))
        Cell.objects.filter(pk__in=ids).update(orders_today=counted, orders_day=day)


def cell_uncount_order(*, cell: Cell, day: dt.date) -> None:
    """Take back an order of the exchange's `day` that was never submitted; the caller holds the cell locked."""
    if cell.orders_day == day and cell.orders_today > 0:
        cell.orders_today -= 1


def cell_count_order(*, cell: Cell, day: dt.date) -> None:
    """Count an order that began to fill on the exchange's `day`; the caller holds the cell locked and saves it.

    A fill of an earlier day than is counted now changes nothing.
    """
    if cell.orders_day == day:
        cell.orders_today += 1
    elif cell.orders_day is None or cell.orders_day < day:
        cell.orders_today, cell.orders_day = 1, day
