"""Asking a broker what became of orders: those without an answer, those at work, those it should have ended.

Nothing is guessed. An order whose submission got no answer is `unknown` until the broker says something of it. A
broker that does not know it is believed only after it said so twice, `visible_within_seconds` apart: the call may
still be under way, wait in a queue of the broker's, or be taken by one of its servers and asked of another, and an
intent that is sent again too early would be bought twice at a broker that does not refuse a client order id it has.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from portfolios.models import BrokerAccount
from trading.brokers.base import Broker, BrokerOrder
from trading.models import Order
from trading.services.broker_patience import Patience
from trading.services.broker_updates import broker_order_apply
from trading.services.order_ends import order_end
from trading.services.order_states import order_claim
from volbal.common import clock

# A sender that has not moved its order on by now was killed; the broker is asked what it knows.
ANSWER_SECONDS = 10
# What a broker says of an order at work is asked anew when nothing was learned for this long.
SETTLE_SECONDS = 10
S = Order.Status


@dataclass(slots=True)
class Asked:
    """What a broker said, to be put onto our rows once its fills up to then are booked."""

    views: list[BrokerOrder] = field(default_factory=list)
    unknown: list[Order] = field(default_factory=list)
    cancelling: list[Order] = field(default_factory=list)


def cancel_ask(*, broker: Broker, order: Order) -> None:
    """Ask the broker to cancel an order, then how it stands. Raises BrokerUnreachableError without an answer."""
    broker.cancel(order.client_order_id)
    told = broker.order(order.client_order_id)
    Order.objects.filter(pk=order.pk).update(cancel_asked_at=clock.now())
    order_found(broker=broker, order=order, told=told)


def cancels_ask(*, account: BrokerAccount, broker: Broker, patience: Patience) -> None:
    """Ask for the cancellations that the broker never answered; those it did are left to `orders_ask`. One query."""
    rows = Order.objects.filter(account=account, status=S.CANCELLING, cancel_asked_at=None)
    for order in rows.select_related("account").order_by("id"):
        with patience.call():
            cancel_ask(broker=broker, order=order)


def orders_recover(*, account: BrokerAccount, broker: Broker, patience: Patience) -> None:
    """Ask the broker about orders whose submission got no answer, by client order id, before anything is retried."""
    before = clock.now() - dt.timedelta(seconds=ANSWER_SECONDS)
    for order in Order.objects.filter(account=account, status=S.SUBMITTING, status_at__lt=before).order_by("id"):
        order_claim(order, S.UNKNOWN, detail="its sender went away before the broker answered")
    for order in Order.objects.filter(account=account, status=S.UNKNOWN).select_related("account").order_by("id"):
        with patience.call():
            order_found(broker=broker, order=order, told=broker.order(order.client_order_id))


def order_found(*, broker: Broker, order: Order, told: BrokerOrder | None, fills_are_read: bool = False) -> None:
    """Keep what the broker said of an order, or since when it does not know it (see `broker_order_apply`)."""
    if told is None:
        _not_found(broker, order)
    else:
        broker_order_apply(account=order.account, told=told, fills_are_read=fills_are_read)


def orders_ask(*, account: BrokerAccount, broker: Broker, patience: Patience) -> Asked:
    """Ask how orders at work stand of which nothing was learned for a while, one call for all that are open.

    Ask before collecting fills: then every fill of an order that had ended is known when it is settled.
    """
    before = clock.now() - dt.timedelta(seconds=SETTLE_SECONDS)
    asked = Asked()
    orders = list(Order.objects.filter(account=account, status__in=Order.WORKING, status_at__lt=before).order_by("id"))
    if not orders:
        return asked
    listed = {view.client_order_id: view for view in broker.open_orders()}
    for order in orders:
        with patience.call():
            _sort(asked, order, listed.get(order.client_order_id) or broker.order(order.client_order_id))
    asked.cancelling += _ended_here(account, listed)
    return asked


def _sort(asked: Asked, order: Order, view: BrokerOrder | None) -> None:
    if view is None:
        asked.unknown.append(order)
    elif _is_news(order, view):
        asked.views.append(view)
        if order.status == S.CANCELLING and view.is_open and not view.cancel_declined:
            asked.cancelling.append(order)


def _is_news(order: Order, view: BrokerOrder) -> bool:
    """Tell whether a broker's view says more of an order than is kept; of one that just lies there mostly not."""
    known = view.filled_quantity is None or view.filled_quantity == order.broker_filled_quantity
    lies = view.is_open and view.status == order.broker_status and order.status != S.CANCELLING
    return not (lies and known and order.not_found_at is None)


def orders_settle(*, account: BrokerAccount, broker: Broker, asked: Asked, patience: Patience) -> None:
    """Put the answers of `orders_ask` onto our rows, now that fills were collected, and ask again to cancel."""
    for view in asked.views:
        broker_order_apply(account=account, told=view, fills_are_read=True)
    for order in asked.unknown:
        _not_found(broker, order)
    for order in asked.cancelling:
        with patience.call():
            cancel_ask(broker=broker, order=order)


def orders_cancel_ended(*, account: BrokerAccount, broker: Broker, listed: Iterable[str]) -> None:
    """Ask the broker to cancel, of the orders it lists as open, those that ended on our side."""
    for order in _ended_here(account, listed):
        cancel_ask(broker=broker, order=order)


def _ended_here(account: BrokerAccount, listed: Iterable[str]) -> list[Order]:
    """Return orders that ended on our side and still work at the broker: one given up as lost that turned up late."""
    before = clock.now() - dt.timedelta(seconds=SETTLE_SECONDS)
    ended = Order.objects.filter(account=account, client_order_id__in=listed, status__in=Order.ENDED)
    return list(ended.filter(status_at__lt=before))


def _not_found(broker: Broker, order: Order) -> None:
    """Keep since when the broker does not know an order; act on it once it had time to appear."""
    now = clock.now()
    if order.not_found_at is None:
        Order.objects.filter(pk=order.pk, status=order.status, not_found_at=None).update(not_found_at=now)
        return
    if now - order.not_found_at < dt.timedelta(seconds=broker.capabilities.visible_within_seconds):
        return
    if order.status == S.UNKNOWN:
        order_claim(order, S.INTENT, detail="the broker never heard of it")
    elif order.status == S.CANCELLING:
        order_end(order=order, after=S.CANCELLED, detail=order.status_detail or "the broker does not know it")
