"""Orders by how they stand: open, stuck, ended, failed."""

from __future__ import annotations

import datetime as dt

from django.db.models import F, Q

from trading.models import Order
from trading.services.order_ends import END_OF

# A step that takes longer than this has stopped.
LONG_SECONDS = 60
# A broker has this long after the close to say what became of a day order.
AFTER_CLOSE_SECONDS = 300
GROUPS = {"open": "Open", "stuck": "Stuck", "ended": "Ended"}
S = Order.Status
STEPS = (S.INTENT, S.SUBMITTING, S.SUBMITTED, S.CANCELLING)
OPEN = ~Q(status__in=Order.ENDED)


def stuck(moment: dt.datetime) -> Q:
    """Return the condition on orders that do not go on by themselves, or whose fills do not add up."""
    late = moment - dt.timedelta(seconds=LONG_SECONDS)
    return (
        Q(status=S.UNKNOWN)
        | Q(status__in=STEPS, status_at__lt=late)
        | OPEN & Q(broker_status__in=END_OF, status_at__lt=late)
        | OPEN & Q(expires_at__lt=moment - dt.timedelta(seconds=AFTER_CLOSE_SECONDS))
        | Q(status__in=Order.WORKING, not_found_at__isnull=False)
        | Q(status__in=Order.ENDED, broker_filled_quantity__gt=F("filled_quantity"))
        | Q(is_overfilled=True, noted_at=None)
    )


def failed() -> Q:
    """Return the condition on orders that their broker rejected and nobody took note of."""
    return Q(status=S.REJECTED, noted_at=None)


def of_group(group: str, moment: dt.datetime) -> Q:
    """Return the condition of one of GROUPS; any other name takes all."""
    return {"open": OPEN, "stuck": stuck(moment), "ended": Q(status__in=Order.ENDED)}.get(group, Q())


def stuck_because(order: Order, moment: dt.datetime) -> str:
    """Say in a sentence what stands in the way of an order, or went wrong with it."""
    told = order.broker_filled_quantity
    if order.is_overfilled:
        settle = "" if order.noted_at is not None else " Trade the excess back, keep it, or take note."
        return f"{_plain(order.filled_quantity)} were filled of {_plain(order.quantity)} ordered.{settle}"
    if told is not None and told > order.filled_quantity:
        return f"the broker says {_plain(told)} are filled, {_plain(order.filled_quantity)} are booked."
    if order.not_found_at is not None:
        return f"{order.get_status_display().lower()}; the broker does not know it."
    if not order.has_ended and order.expires_at is not None and order.expires_at < moment:
        return f"{order.get_status_display().lower()} after its close."
    return f"{order.get_status_display().lower()}. {begun(order.status_detail)}".strip()


def begun(detail: str) -> str:
    """Return words that were kept for the middle of a sentence as one of their own."""
    return detail[:1].upper() + detail[1:]


def _plain(quantity: object) -> str:
    return f"{quantity:f}".rstrip("0").rstrip(".")
