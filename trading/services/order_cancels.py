"""Cancelling orders. A broker is only asked to; the end is learned from what it says afterwards."""

from __future__ import annotations

import logging

from django.db import transaction

from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.brokers.base import BrokerUnreachableError
from trading.brokers.registry import broker_of
from trading.models import Order
from trading.services.order_asking import cancel_ask
from trading.services.order_ends import order_end
from trading.services.order_states import order_move

ORIGIN = Origin(task="order cancel")
S = Order.Status
CANCELLABLE = Order.CANCELLABLE

logger = logging.getLogger(__name__)


def order_cancel(*, order: Order, detail: str, origin: Origin = ORIGIN, asks: bool = True) -> bool:
    """Cancel an order: an intent at once, one at the broker by asking. Return whether it has ended by that.

    Where the broker gives no answer, or still has to carry it out, the order stays `cancelling` and is asked about
    again; without `asks` it is left to the next sender to ask first. Raises ForbiddenMoveError for one that is not
    CANCELLABLE and Conflict when another process moved it first.
    """
    was_intent = order.status == S.INTENT
    with transaction.atomic():
        event_record(
            kind="order.cancel_asked",
            subject=subject_of(order),
            origin=origin,
            tenant_id=order.tenant_id,
            before={"status": order.status},
            after={"detail": detail},
        )
        if was_intent:
            return order_end(order=order, after=S.CANCELLED, detail=detail, only_from=S.INTENT)
        order_move(order, S.CANCELLING, detail=detail)
    if not asks:
        return False
    try:
        cancel_ask(broker=broker_of(order.account), order=order)
    except BrokerUnreachableError:
        logger.warning("no answer to the cancellation of %s", order.client_order_id)
    order.refresh_from_db()
    return order.has_ended
