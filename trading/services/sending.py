"""Sending for one account at a time, apart from all others: a broker that hangs delays its own orders only."""

from __future__ import annotations

from dataclasses import dataclass

from trading.models import Fill, Order
from trading.services.broker_lines import line_is_open
from trading.services.orders import orders_send
from volbal.common.exclusive import only_one


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sending booked, and whether orders still wait because another sender was at it."""

    fills: tuple[Fill, ...] = ()
    waits: bool = False


def account_send(*, account_id: int) -> Sent:
    """Send an account's orders and book its fills, unless its broker is being left alone or another sender is at it.

    Never waits: where another is at it, `waits` says whether there are orders that it may not have seen.
    """
    if not line_is_open(account_id=account_id):
        return Sent()
    with only_one("send", account_id) as is_ours:
        if is_ours:
            return Sent(fills=tuple(orders_send(account_id=account_id)))
    return Sent(waits=Order.objects.filter(account=account_id, status=Order.Status.INTENT).exists())
