"""What rests at a cell's triggers, as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from portfolios.models import Cell
from trading.models import Order


@dataclass(frozen=True, slots=True)
class RestView:
    """One trigger of a cell that rests orders: its side, and the order that lies there, None where none does."""

    side: str
    order: Order | None


def rests_view(cell: Cell) -> tuple[RestView, ...]:
    """Return both triggers of a cell that rests orders, or that still has one, the sell first; else nothing. One query.

    A cell that is put away rests nothing.
    """
    rows = Order.objects.filter(cell=cell, purpose=Order.Purpose.RESTING).exclude(status__in=Order.ENDED)
    held = {order.side: order for order in rows}
    if not held and (cell.execution != Cell.Execution.RESTING or cell.status == Cell.Status.ARCHIVED):
        return ()
    return tuple(RestView(side, held.get(side)) for side in (Order.Side.SELL, Order.Side.BUY))
