"""The moves an order may make. What is not in the table raises and changes nothing."""

from __future__ import annotations

from django.db import transaction

from trading.models import Order, OrderTransition
from volbal.common import clock
from volbal.common.errors import Conflict, VolbalError

S = Order.Status
DETAIL_LENGTH = 240

ENDS = frozenset({S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED})
# What a broker says is a fact in every open state: an intent that was thought never to have arrived may show up late,
# filled, at work or ended. A fill completes an order that ended otherwise, and a part of one that is being cancelled
# leaves it so. An order goes back to being an intent where certainly nothing was sent, and an unknown one once its
# broker was asked about it.
ALLOWED: dict[S, frozenset[S]] = {
    S.INTENT: ENDS | {S.SUBMITTING, S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING},
    S.SUBMITTING: ENDS | {S.INTENT, S.UNKNOWN, S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING},
    S.UNKNOWN: ENDS | {S.INTENT, S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING},
    S.SUBMITTED: ENDS | {S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING},
    S.ACCEPTED: ENDS | {S.PARTIALLY_FILLED, S.CANCELLING},
    S.PARTIALLY_FILLED: ENDS | {S.PARTIALLY_FILLED, S.CANCELLING},
    S.CANCELLING: ENDS,
    S.FILLED: frozenset(),
    S.CANCELLED: frozenset({S.FILLED}),
    S.REJECTED: frozenset({S.FILLED}),
    S.EXPIRED: frozenset({S.FILLED}),
}


class ForbiddenMoveError(VolbalError):
    """An order was asked to make a move that its table does not have."""

    code = "forbidden_move"


def order_claim(order: Order, after: Order.Status, *, detail: str = "") -> bool:
    """Move an order; return False where another process was first: what it stored is newer than what we know."""
    try:
        with transaction.atomic():
            order_move(order, after, detail=detail)
    except Conflict:
        return False
    return True


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
    moment, detail = clock.now(), detail[:DETAIL_LENGTH]
    # What a broker did not know in the last state says nothing about the next.
    values = {"status": after, "status_at": moment, "status_detail": detail, "not_found_at": None}
    changed = Order.objects.filter(pk=order.pk, status=before).update(**values)
    if changed != 1:
        raise Conflict(f"Order {order.client_order_id} was no longer {before}: another process moved it first.")
    for name, value in values.items():
        setattr(order, name, value)
    OrderTransition.objects.create(tenant_id=order.tenant_id, order=order, before=before, after=after, detail=detail)
