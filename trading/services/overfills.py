"""What people do with an order of which more was filled than ordered: trade the excess back, or live with it."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.db import transaction

from portfolios.services.anchors import cell_set_anchor
from portfolios.services.checks import require_reason
from portfolios.services.origin import Origin
from trading.models import Order
from trading.services.manual_orders import order_note
from trading.services.order_placing import OrderTerms, order_place
from volbal.common import clock, numbers
from volbal.common.errors import Refused

OPPOSITE = {Order.Side.BUY: Order.Side.SELL, Order.Side.SELL: Order.Side.BUY}


def overfill_trade_back(*, order: Order, origin: Origin) -> Order:
    """Place an order by hand at the market that trades an overfilled order's excess back, and take note of it.

    The same again is the same order. It goes through the gates of every order by hand. Raises Refused without a reason,
    for an order that is not overfilled or was taken note of, and for what the gates refuse; nothing is changed then.
    """
    _require_overfilled(order)
    terms = OrderTerms(side=OPPOSITE[Order.Side(order.side)], quantity=order.excess_quantity)
    # One key for one overfilled order: however often it is asked for, and wherever it breaks off, one order goes out.
    back = order_place(cell=order.cell, terms=terms, origin=origin, key=str(_key(order)))
    order_note(order=order, origin=origin)
    return back


def overfill_keep(*, order: Order, origin: Origin) -> Order:
    """Keep an overfilled order's excess: set the cell's anchor to the mean price that was paid, and take note of it.

    Raises Refused without a reason, and for an order that is not overfilled or was taken note of.
    """
    require_reason(origin, "Setting the anchor to an overfilled order's price")
    _require_overfilled(order)
    with transaction.atomic():
        anchor = numbers.price(order.mean_price or Decimal(0))
        cell_set_anchor(cell=order.cell, anchor=anchor, as_of=clock.now(), origin=origin)
        return order_note(order=order, origin=origin)


def _key(order: Order) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"excess of {order.client_order_id}")


def _require_overfilled(order: Order) -> None:
    order.refresh_from_db()
    if not order.is_overfilled:
        raise Refused("No more of this order was filled than was ordered.", code="not_overfilled")
    if order.noted_at is not None:
        raise Refused("This order was taken note of; what is to be done was done or left.", code="noted")
