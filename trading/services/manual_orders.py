"""What people do with orders that are there: ask the broker now, cancel, take note."""

from __future__ import annotations

from portfolios.services.changes import changing
from portfolios.services.checks import require_reason
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.brokers.base import BrokerUnreachableError
from trading.brokers.registry import broker_of
from trading.models import Order
from trading.services.order_asking import order_found
from trading.services.order_cancels import CANCELLABLE, order_cancel
from trading.services.orders import fills_collect
from volbal.common import clock
from volbal.common.errors import Refused


def order_ask_now(*, order: Order, origin: Origin) -> Order:
    """Ask the broker what became of an order and keep what it says, its fills included.

    Raises Refused where the broker does not answer; the order then stays as it is.
    """
    broker = broker_of(order.account)
    try:
        told = broker.order(order.client_order_id)
        fills_collect(account=order.account, broker=broker)
    except BrokerUnreachableError as silence:
        raise Refused(
            f"The broker does not answer: {silence}. The order stays {order.get_status_display().lower()}.",
            code="no_answer",
            hint="It is asked again every few seconds.",
        ) from silence
    order.refresh_from_db()
    order_found(broker=broker, order=order, told=told, fills_are_read=True)
    before = order.status
    order.refresh_from_db()
    event_record(
        kind="order.asked",
        subject=subject_of(order),
        origin=origin,
        tenant_id=order.tenant_id,
        before={"status": before},
        after={"status": order.status, "broker": "does not know it" if told is None else told.status},
    )
    return order


def order_cancel_by_hand(*, order: Order, origin: Origin) -> Order:
    """Cancel an open order for a reason: an intent at once, one at the broker as soon as it confirms.

    Raises Refused without a reason, for an order that cannot be cancelled as it stands, and for one that rests for a
    cell that would lay it again.
    """
    require_reason(origin, "Cancelling an order")
    order.refresh_from_db()
    if order.purpose == Order.Purpose.RESTING and not order.has_ended and order.cell.rests_orders:
        raise Refused(
            "This order rests at a trigger of its cell and would be laid again at the next look.",
            code="laid_again",
            hint="Pause the cell, or let it watch its price: what rests is then cancelled.",
        )
    if order.status not in CANCELLABLE:
        raise Refused(
            f"The order is {order.get_status_display().lower()} and cannot be cancelled.",
            code="not_cancellable",
            hint="Its sender waits for the broker's answer; try again in a moment."
            if order.status == Order.Status.SUBMITTING
            else "",
        )
    order_cancel(order=order, detail=f"by hand: {origin.reason}", origin=origin)
    return order


def order_note(*, order: Order, origin: Origin) -> Order:
    """Take note of an order that was rejected or overfilled, so that it asks for no more attention."""
    with changing(order, kind="order.noted", origin=origin) as change:
        row = change.row
        if not row.is_overfilled and row.status != Order.Status.REJECTED:
            raise Refused("Only a rejected or overfilled order is taken note of.", code="nothing_to_note")
        if row.noted_at is None:
            row.noted_at = clock.now()
    return order
