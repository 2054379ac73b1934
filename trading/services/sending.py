"""Calling the broker of one account at a time, apart from all others: one that hangs delays its own orders only."""

from __future__ import annotations

from dataclasses import dataclass

from trading.models import Fill, Order
from trading.services.broker_turns import Turn, broker_turn
from trading.services.orders import orders_send
from trading.services.reconciliation import account_reconcile


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sending booked, and whether orders still wait because another sender was at it."""

    fills: tuple[Fill, ...] = ()
    waits: bool = False


def account_send(*, account_id: int) -> Sent:
    """Send an account's orders and book its fills, unless its broker is being left alone or another sender is at it.

    Never waits: where another is at it, `waits` says whether there are orders that it may not have seen.
    """
    with broker_turn(account_id=account_id, kind="send") as turn:
        if turn is Turn.OURS:
            return Sent(fills=tuple(orders_send(account_id=account_id)))
    if turn is Turn.LATER:
        return Sent()
    return Sent(waits=Order.objects.filter(account=account_id, status=Order.Status.INTENT).exists())


def account_compare(*, account_id: int) -> bool:
    """Compare an account with its broker; return whether that was done: not while the broker is being left alone."""
    with broker_turn(account_id=account_id, kind="compare") as turn:
        if turn is Turn.OURS:
            account_reconcile(account_id=account_id)
    return turn is Turn.OURS
