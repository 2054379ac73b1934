"""The end of an order: its last move, and the anchor's where at least half of it was filled (strategy 7)."""

from __future__ import annotations

import datetime as dt

from portfolios.models import Cell
from portfolios.services.changes import changing
from portfolios.services.order_counts import cell_uncount_order
from portfolios.services.origin import Origin
from trading.brokers.base import BrokerOrderStatus
from trading.marketdata.calendars import exchange_calendar
from trading.models import Order
from trading.services.order_plans import position_at_end, slice_return
from trading.services.order_states import order_move
from trading.services.positions import position_of, position_write
from trading.services.protective_stop import halt_if_stopped
from trading.services.resting_wakes import rests_look_again
from volbal.common.errors import Conflict
from volbal.strategy.fills import OrderFilled

ORIGIN = Origin(task="order end")
S = Order.Status
END_OF: dict[str, Order.Status] = {
    BrokerOrderStatus.FILLED: S.FILLED,
    BrokerOrderStatus.CANCELLED: S.CANCELLED,
    BrokerOrderStatus.REJECTED: S.REJECTED,
    BrokerOrderStatus.EXPIRED: S.EXPIRED,
}


def order_end(
    *,
    order: Order,
    after: Order.Status,
    detail: str,
    reject_code: str = "",
    was_submitted: bool = True,
    only_from: Order.Status | None = None,
    again: bool = False,
) -> bool:
    """Move an order to an end; return whether it was still open.

    With `was_submitted` False it never reached its broker and no longer counts among the day's orders; with `again` a
    slice then goes back to the order it is of, which is asked about it at the next look. Raises
    ForbiddenMoveError where the table does not allow the end and Conflict where another process moved it first, or
    where it is open and no longer `only_from`: what ends an intent must not end what was sent meanwhile.
    """
    as_of = order.fills.order_by("-as_of").values_list("as_of", flat=True).first() or order.as_of
    with changing(Cell(pk=order.cell_id), kind="cell.order_ended", origin=ORIGIN, as_of=as_of) as change:
        # The cell is locked now, so that no fill of the order comes between.
        order.refresh_from_db(fields=["status", "filled_quantity", "filled_value"])
        if order.has_ended:
            return False
        if only_from is not None and order.status != only_from:
            raise Conflict(
                f"Order {order.client_order_id} is no longer {only_from} but {order.status}: it stays as it is.",
                hint="Look at it again and repeat what you want.",
            )
        returned = order.plan if again else None
        if returned is not None:
            order_move(order, after, detail=detail)
        else:
            end_on(cell=change.row, order=order, after=after, detail=detail, as_of=as_of, reject_code=reject_code)
        # Of an order worked in slices the first counts.
        if not was_submitted and order.is_counted and order.slice_number in (None, 1):
            day = exchange_calendar(change.row.instrument.exchange).day_of(order.as_of)
            cell_uncount_order(cell=change.row, day=day)
        if returned is not None:
            slice_return(order=order, plan=returned)
        change.details |= {"order": order.pk, "status": after, "filled": order.filled_quantity}
    return True


def end_on(
    *, cell: Cell, order: Order, after: Order.Status, detail: str, as_of: dt.datetime, reject_code: str = ""
) -> None:
    """End an order on its cell, which the caller holds locked and saves (see `changing`)."""
    if reject_code:
        order.reject_code = reject_code
        order.save(update_fields=["reject_code"])
    order_move(order, after, detail=detail)
    filled = OrderFilled(quantity=float(order.filled_quantity), gross=float(order.filled_value))
    position = position_at_end(order=order, position=position_of(cell), filled=filled, as_of=as_of)
    position_write(cell, position, as_of)
    halt_if_stopped(cell=cell, order=order)
    rests_look_again(cell)


def end_told(order: Order) -> Order.Status | None:
    """Return the end that the broker told of an order, once as much is booked as it said was filled; None before."""
    told = order.broker_filled_quantity
    if told is None or order.filled_quantity < told:
        return None
    return END_OF.get(order.broker_status)
