"""The moves an order may make. What is not in the table raises and changes nothing."""

from __future__ import annotations

from trading.models import Order, OrderTransition
from volbal.common import clock
from volbal.common.errors import Conflict, VolbalError

S = Order.Status

# A fill is a fact and is booked in every state, an intent thought never to have arrived included. It completes an
# order that ended otherwise, and a part of one that is being cancelled leaves it so.
ALLOWED: dict[S, frozenset[S]] = {
    S.INTENT: frozenset({S.SUBMITTING, S.CANCELLED, S.PARTIALLY_FILLED, S.FILLED}),
    S.SUBMITTING: frozenset({S.SUBMITTED, S.ACCEPTED, S.UNKNOWN, S.REJECTED, S.INTENT, S.PARTIALLY_FILLED, S.FILLED}),
    S.UNKNOWN: frozenset(
        {S.SUBMITTED, S.ACCEPTED, S.INTENT, S.REJECTED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.EXPIRED}
    ),
    S.SUBMITTED: frozenset(
        {S.ACCEPTED, S.UNKNOWN, S.REJECTED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLING, S.CANCELLED, S.EXPIRED}
    ),
    S.ACCEPTED: frozenset({S.REJECTED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLING, S.CANCELLED, S.EXPIRED}),
    S.PARTIALLY_FILLED: frozenset({S.PARTIALLY_FILLED, S.FILLED, S.CANCELLING, S.CANCELLED, S.EXPIRED}),
    S.CANCELLING: frozenset({S.CANCELLED, S.FILLED, S.EXPIRED, S.REJECTED}),
    S.FILLED: frozenset(),
    S.CANCELLED: frozenset({S.FILLED}),
    S.REJECTED: frozenset({S.FILLED}),
    S.EXPIRED: frozenset({S.FILLED}),
}


class ForbiddenMoveError(VolbalError):
    """An order was asked to make a move that its table does not have."""

    code = "forbidden_move"


def order_move(order: Order, after: Order.Status, *, detail: str = "") -> None:
    """Move an order to a state by compare-and-set and record the move.

    Raises ForbiddenMoveError when the table does not allow it and Conflict when another process moved the order
    first; nothing is changed then. `order` carries the new state afterwards.
    """
    before = Order.Status(order.status)
    if after not in ALLOWED[before]:
        raise ForbiddenMoveError(
            f"Order {order.client_order_id} cannot go from {before} to {after}; nothing was changed.",
            hint=f"From {before} it may go to: {', '.join(sorted(ALLOWED[before])) or 'nothing'}.",
        )
    moment = clock.now()
    changed = Order.objects.filter(pk=order.pk, status=before).update(
        status=after, status_at=moment, status_detail=detail
    )
    if changed != 1:
        raise Conflict(f"Order {order.client_order_id} was no longer {before}: another process moved it first.")
    order.status, order.status_at, order.status_detail = after, moment, detail
    OrderTransition.objects.create(tenant_id=order.tenant_id, order=order, before=before, after=after, detail=detail)
