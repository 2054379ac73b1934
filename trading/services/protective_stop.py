"""What the protective stop leaves behind: a cell that is halted until a person resumes it (strategy 14)."""

from __future__ import annotations

from portfolios.models import Cell
from portfolios.services.cells import cell_halt
from portfolios.services.origin import Origin
from trading.models import Order
from volbal.strategy.sentences import price_text, quantity_text


def halt_if_stopped(*, cell: Cell, order: Order) -> None:
    """Halt a cell where an order that has ended was its protective stop's.

    One that ended with nothing sold halts nothing: the stop strikes again at the next look.
    """
    mean = order.mean_price
    if order.purpose != Order.Purpose.STOP or not order.has_ended or mean is None:
        return
    left = f"; {quantity_text(float(cell.shares))} could not be sold and are still held" if cell.shares > 0 else ""
    sold = quantity_text(float(order.filled_quantity))
    reason = f"The protective stop sold {sold} at {price_text(round(float(mean), 6))}{left}."
    cell_halt(cell=cell, origin=Origin(task="protective stop", reason=reason), cause="protective_stop")
