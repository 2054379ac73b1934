"""Orders that end without being filled: cancelled by us, or ended by the broker itself."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable

from django.db import transaction

from portfolios.models import BrokerAccount, Cell
from portfolios.services.changes import changing
from portfolios.services.origin import Origin
from trading.brokers.base import Broker, BrokerUnreachableError
from trading.brokers.registry import broker_of
from trading.models import Order
from trading.services.order_states import order_move
from trading.services.positions import position_of, position_write
from volbal.common import clock
from volbal.strategy.fills import OrderFilled, end_order

ORIGIN = Origin(task="order end")
S = Order.Status
# What a broker has confirmed and can end by itself.
WORKING = (S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING)
CANCELLABLE = (S.INTENT, S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED)
# A broker may list an order, or stop listing it, this long after it has said so.
SETTLE_SECONDS = 10

logger = logging.getLogger(__name__)


def order_end(*, order: Order, after: Order.Status, detail: str) -> bool:
    """Move an order to an end other than filled, and with it the anchor where at least half was filled (strategy 7).

    Return whether it was still open. Raises ForbiddenMoveError where the table does not allow the end.
    """
    as_of = order.fills.order_by("-as_of").values_list("as_of", flat=True).first() or order.as_of
    with changing(Cell(pk=order.cell_id), kind="cell.order_ended", origin=ORIGIN, as_of=as_of) as change:
        # The cell is locked now, so that no fill of the order comes between.
        order.refresh_from_db(fields=["status", "filled_quantity", "filled_value"])
        if order.has_ended:
            return False
        order_move(order, after, detail=detail)
        filled = OrderFilled(quantity=float(order.filled_quantity), gross=float(order.filled_value))
        position_write(change.row, end_order(position_of(change.row), filled, float(order.quantity)), as_of)
        change.details |= {"order": order.pk, "status": after, "filled": order.filled_quantity}
    return True


def order_cancel(*, order: Order, detail: str) -> bool:
    """Cancel an order: an intent at once, one at the broker by asking. Return whether it has ended by that.

    Where the broker gives no answer, or had ended it before, it stays `cancelling` until `orders_settle`. Raises
    ForbiddenMoveError for one that is not CANCELLABLE and Conflict when another process moved it first.
    """
    if order.status == S.INTENT:
        return order_end(order=order, after=S.CANCELLED, detail=detail)
    with transaction.atomic():
        order_move(order, S.CANCELLING, detail=detail)
    return _cancel_at_broker(broker_of(order.account), order, detail)


def _cancel_at_broker(broker: Broker, order: Order, detail: str) -> bool:
    try:
        was_open = broker.cancel(order.client_order_id)
    except BrokerUnreachableError:
        logger.warning("no answer to the cancellation of %s", order.client_order_id)
        return False
    return was_open and order_end(order=order, after=S.CANCELLED, detail=detail)


def orders_unsettled(*, account: BrokerAccount, broker: Broker) -> tuple[list[Order], frozenset[str]]:
    """Return orders that have been at the broker for a while, and the client order ids it still has open.

    Ask before collecting fills: then every fill of an order that had ended is known when it is settled.
    """
    before = clock.now() - dt.timedelta(seconds=SETTLE_SECONDS)
    orders = list(Order.objects.filter(account=account, status__in=WORKING, status_at__lt=before).order_by("id"))
    still_open = frozenset(one.client_order_id for one in broker.open_orders()) if orders else frozenset()
    return orders, still_open


def orders_settle(*, broker: Broker, orders: Iterable[Order], still_open: frozenset[str]) -> None:
    """End what the broker has ended, and ask again for cancellations that were not answered."""
    for order in orders:
        if order.client_order_id not in still_open:
            order_end(order=order, after=S.CANCELLED, detail=order.status_detail or "no longer open at the broker")
        elif order.status == S.CANCELLING:
            _cancel_at_broker(broker, order, order.status_detail)
