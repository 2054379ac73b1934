"""Sending intents to brokers and learning what became of them. No broker is called inside a transaction."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from portfolios.models import BrokerAccount
from portfolios.services.origin import Origin
from trading.brokers.base import Broker, BrokerOrder, BrokerRejectedError, BrokerUnreachableError, OrderRequest
from trading.brokers.registry import broker_of
from trading.models import Fill, FillCursor, Order
from trading.services.fills import fill_book
from trading.services.order_states import order_move
from volbal.common import clock
from volbal.common.errors import Conflict

ORIGIN = Origin(task="orders")
# A sender that has not moved its order on by now was killed; the broker is asked what it knows.
ANSWER_SECONDS = 10


def orders_send(*, account_id: int) -> list[Fill]:
    """Submit every waiting intent of an account, then book what the broker reports. Return the new fills.

    Safe to run many times and in many processes: an intent is claimed by compare-and-set before the broker is
    called, and a fill is booked once.
    """
    account = BrokerAccount.objects.get(pk=account_id)
    broker = broker_of(account)
    orders_recover(account=account, broker=broker)
    for order in _of(account, Order.Status.INTENT):
        if _claim(order):
            _submit(broker, order)
    return fills_collect(account=account, broker=broker)


def orders_recover(*, account: BrokerAccount, broker: Broker) -> None:
    """Ask the broker about orders whose submission got no answer, by client order id, before anything is retried."""
    before = clock.now() - dt.timedelta(seconds=ANSWER_SECONDS)
    unanswered = Order.objects.filter(
        account=account, status__in=[Order.Status.SUBMITTING, Order.Status.UNKNOWN], status_at__lt=before
    )
    for order in unanswered.select_related("cell__instrument").order_by("id"):
        try:
            known = broker.order(order.client_order_id)
        except BrokerUnreachableError:
            return
        _resolve(order, known)


def _resolve(order: Order, known: BrokerOrder | None) -> None:
    with transaction.atomic():
        if known is None:
            order_move(order, Order.Status.INTENT, detail="the broker never heard of it")
        else:
            _keep_answer(order, known)


def _of(account: BrokerAccount, status: Order.Status) -> list[Order]:
    rows = Order.objects.filter(account=account, status=status).select_related("cell__instrument")
    return list(rows.order_by("id"))


def _claim(order: Order) -> bool:
    """Return whether this process is the one that sends the order."""
    try:
        with transaction.atomic():
            order_move(order, Order.Status.SUBMITTING)
    except Conflict:
        return False
    return True


def _submit(broker: Broker, order: Order) -> None:
    try:
        answer = broker.submit(_request(order))
    except BrokerRejectedError as refusal:
        with transaction.atomic():
            order_move(order, Order.Status.REJECTED, detail=str(refusal))
    except BrokerUnreachableError as silence:
        with transaction.atomic():
            order_move(order, Order.Status.UNKNOWN, detail=str(silence))
    else:
        with transaction.atomic():
            _keep_answer(order, answer)


def _keep_answer(order: Order, answer: BrokerOrder) -> None:
    order.broker_order_id = answer.broker_order_id
    order.save(update_fields=["broker_order_id"])
    order_move(order, Order.Status.ACCEPTED)


def _request(order: Order) -> OrderRequest:
    return OrderRequest(
        client_order_id=order.client_order_id,
        symbol=order.cell.instrument.symbol,
        side=order.side,
        quantity=order.quantity,
        limit_price=order.limit_price,
        quote_source=order.quote_source,
        commission_rate=order.commission_rate,
        commission_min=order.commission_min,
    )


def fills_collect(*, account: BrokerAccount, broker: Broker) -> list[Fill]:
    """Book every report since the cursor, then move the cursor. Return the fills that were new."""
    cursor, _ = FillCursor.objects.get_or_create(account=account)
    booked = []
    for report in broker.fills_since(cursor.position):
        fill = fill_book(account=account, report=report)
        if fill is not None:
            booked.append(fill)
        FillCursor.objects.filter(account=account, position__lt=report.cursor).update(position=report.cursor)
    return booked


def order_cancel(*, order: Order, detail: str) -> bool:
    """Cancel an order: an intent at once, one at the broker by asking. Return whether it was still open.

    An order that had ended at the broker stays `cancelling` until its fills have been collected.
    """
    if order.status == Order.Status.INTENT:
        with transaction.atomic():
            order_move(order, Order.Status.CANCELLED, detail=detail)
        return True
    with transaction.atomic():
        order_move(order, Order.Status.CANCELLING, detail=detail)
    was_open = broker_of(order.account).cancel(order.client_order_id)
    if was_open:
        with transaction.atomic():
            order_move(order, Order.Status.CANCELLED, detail=detail)
    return was_open
