"""What an order of a cell that rests orders sets going: its count, and a look at once (strategy 12)."""

from __future__ import annotations

import datetime as dt
from functools import partial

from django.db import transaction

from portfolios.models import Cell, Portfolio
from portfolios.services.order_counts import cell_count_order
from trading.marketdata.calendars import exchange_calendar
from trading.models import Order
from volbal.common import clock


def order_count(*, cell: Cell, order: Order, as_of: dt.datetime) -> None:
    """Count an order with its first fill among those of that day; the caller holds the cell locked and saves it."""
    cell_count_order(cell=cell, day=exchange_calendar(cell.instrument.exchange).day_of(as_of))
    order.is_counted = True
    order.save(update_fields=["is_counted"])


def rests_look_again(cell: Cell) -> None:
    """Have a cell that rests orders looked at at once, after this transaction: levels and sizes may be others now.

    A replay looks for itself. The portfolio is written to once nothing is held any more, for a tick holds it first and
    then its cells.
    """
    if cell.execution == Cell.Execution.RESTING:
        transaction.on_commit(partial(portfolio_look_again, cell.portfolio_id))


def portfolio_look_again(portfolio_id: int) -> None:
    """Let the next tick of a portfolio that ticks be due now."""
    Portfolio.objects.filter(pk=portfolio_id, next_tick_at__gt=clock.now()).update(next_tick_at=clock.now())
