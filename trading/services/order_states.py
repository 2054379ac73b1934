"""The moves an order may make. What is not in the table raises and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from trading.models import Order, OrderTransition
from volbal.common import clock
from volbal.common.errors import Conflict, VolbalError

S = Order.Status
DETAIL_LENGTH = 240

ENDS = frozenset({S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED})
# What a broker says is a fact in every open state: an intent that was thought never to have arrived may show up late,
# filled, at work or ended. A fill completes an order that ended otherwise, and a part of one that is being cancelled
# leaves it so; that one goes back to work only where its broker says that it does not cancel it. An order goes back to
# being an intent where certainly nothing was sent, and an unknown one once its broker was asked about it.
ALLOWED: dict[S, frozenset[S]] = {
    S.INTENT: ENDS | {S.SUBMITTING, S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING},
    S.SUBMITTING: ENDS | {S.INTENT, S.UNKNOWN, S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING},
    S.UNKNOWN: ENDS | {S.INTENT, S.SUBMITTED, S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING},
    S.SUBMITTED: ENDS | {S.ACCEPTED, S.PARTIALLY_FILLED, S.CANCELLING},
    S.ACCEPTED: ENDS | {S.PARTIALLY_FILLED, S.CANCELLING},
    S.PARTIALLY_FILLED: ENDS | {S.PARTIALLY_FILLED, S.CANCELLING},
    S.CANCELLING: ENDS | {S.ACCEPTED, S.PARTIALLY_FILLED},
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


def orders_claim(orders: Sequence[Order], after: Order.Status, *, detail: str = "") -> list[Order]:
    """Move orders that are all in one state together, and return those that were still in it, in their order.

    Each is moved by compare-and-set, with a record of its move, in four statements for all. One that another process
    moved, or holds at this moment, is left as it is. Raises ForbiddenMoveError as `order_move` does.
    """
    if not orders:
        return []
    before = _require_allowed(orders[0], after)
    with transaction.atomic():
        # Held ones are skipped: whoever holds an order and its cell never waits for a claim, nor a claim for them.
        waiting = Order.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        free = waiting.filter(pk__among=[order.pk for order in orders], status=before).order_by("id")
        ids = set(free.values_list("pk", flat=True))
        claimed = [order for order in orders if order.pk in ids]
        values = _values(after, detail)
        Order.objects.filter(pk__among=ids, status=before).update(**values)
        OrderTransition.objects.bulk_create([_transition(order, before, after, detail) for order in claimed])
    for order in claimed:
        _take(order, values)
    return claimed


def order_move(order: Order, after: Order.Status, *, detail: str = "") -> None:
    """Move an order to a state by compare-and-set and record the move.

    Raises ForbiddenMoveError when the table does not allow it and Conflict when another process moved the order
    first; nothing is changed then. `order` carries the new state afterwards.
    """
    before = _require_allowed(order, after)
    values = _values(after, detail)
    changed = Order.objects.filter(pk=order.pk, status=before).update(**values)
    if changed != 1:
        raise Conflict(f"Order {order.client_order_id} was no longer {before}: another process moved it first.")
    _take(order, values)
    _transition(order, before, after, detail).save(force_insert=True)


def _require_allowed(order: Order, after: Order.Status) -> Order.Status:
    """Return the state that an order is in. Raises ForbiddenMoveError where the table does not allow the move."""
    before = Order.Status(order.status)
    if after not in ALLOWED[before]:
        raise ForbiddenMoveError(
            f"Order {order.client_order_id} cannot go from {before} to {after}; nothing was changed.",
            hint=f"From {before} it may go to: {', '.join(sorted(ALLOWED[before])) or 'nothing'}.",
        )
    return before


def _values(after: Order.Status, detail: str) -> dict[str, Any]:
    # What a broker did not know, or was asked, in the last state says nothing about the next.
    return {
        "status": after, "status_at": clock.now(), "status_detail": detail[:DETAIL_LENGTH], "not_found_at": None,
        "cancel_asked_at": None,
    }  # fmt: skip


def _take(order: Order, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(order, name, value)


def _transition(order: Order, before: Order.Status, after: Order.Status, detail: str) -> OrderTransition:
    return OrderTransition(
        tenant_id=order.tenant_id, order_id=order.pk, before=before, after=after, detail=detail[:DETAIL_LENGTH]
    )
