"""Sending intents to brokers and learning what became of them. No broker is called inside a transaction."""

from __future__ import annotations

import datetime as dt
import logging

from django.db import transaction

from portfolios.models import BrokerAccount
from trading.brokers.base import (
    Broker,
    BrokerOrder,
    BrokerRejectedError,
    BrokerUnreachableError,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from trading.brokers.registry import broker_of
from trading.models import Fill, FillCursor, Order
from trading.services.fills import fill_book
from trading.services.order_ends import order_end, orders_settle, orders_unsettled
from trading.services.order_states import order_move
from trading.services.reconciliation import reconciliation_require
from volbal.common import clock
from volbal.common.errors import Conflict

# A sender that has not moved its order on by now was killed; the broker is asked what it knows.
ANSWER_SECONDS = 10

logger = logging.getLogger(__name__)


def orders_send(*, account_id: int) -> list[Fill]:
    """Submit every waiting intent of an account, then book what the broker reports. Return the new fills.

    Safe to run many times and in many processes: an intent is claimed by compare-and-set before the broker is
    called, and a fill is booked once. A broker that does not answer is asked again at the next call.
    """
    account = BrokerAccount.objects.get(pk=account_id)
    broker = broker_of(account)
    try:
        orders_recover(account=account, broker=broker)
        unsettled, still_open = orders_unsettled(account=account, broker=broker)
        if not reconciliation_require(account=account).blocks:
            for order in _of(account, Order.Status.INTENT):
                if _moved(order, Order.Status.SUBMITTING):
                    _submit(broker, order)
        fills = fills_collect(account=account, broker=broker)
        orders_settle(broker=broker, orders=unsettled, still_open=still_open)
    except BrokerUnreachableError as silence:
        logger.warning("the broker of account %s does not answer: %s", account.pk, silence)
        return []
    return fills


def orders_recover(*, account: BrokerAccount, broker: Broker) -> None:
    """Ask the broker about orders whose submission got no answer, by client order id, before anything is retried."""
    before = clock.now() - dt.timedelta(seconds=ANSWER_SECONDS)
    unanswered = Order.objects.filter(
        account=account, status__in=[Order.Status.SUBMITTING, Order.Status.UNKNOWN], status_at__lt=before
    )
    for order in unanswered.select_related("cell__instrument").order_by("id"):
        known = broker.order(order.client_order_id)
        if known is None:
            _moved(order, Order.Status.INTENT, "the broker never heard of it")
        else:
            _keep_answer(order, known)


def _of(account: BrokerAccount, status: Order.Status) -> list[Order]:
    rows = Order.objects.filter(account=account, status=status).select_related("cell__instrument")
    return list(rows.order_by("id"))


def _moved(order: Order, after: Order.Status, detail: str = "") -> bool:
    """Move an order; return False where another process was first: what it stored is newer than what we know."""
    try:
        with transaction.atomic():
            order_move(order, after, detail=detail)
    except Conflict:
        return False
    return True


def _submit(broker: Broker, order: Order) -> None:
    try:
        answer = broker.submit(_request(order))
    except BrokerRejectedError as refusal:
        order_end(order=order, after=Order.Status.REJECTED, detail=str(refusal))
    except BrokerUnreachableError as silence:
        _moved(order, Order.Status.UNKNOWN, str(silence))
    else:
        _keep_answer(order, answer)


def _keep_answer(order: Order, answer: BrokerOrder) -> None:
    Order.objects.filter(pk=order.pk).update(broker_order_id=answer.broker_order_id)
    # It may be filled already: its report can be booked by another process before the answer reaches this one.
    _moved(order, Order.Status.ACCEPTED)


def _request(order: Order) -> OrderRequest:
    return OrderRequest(
        client_order_id=order.client_order_id,
        symbol=order.cell.instrument.symbol,
        side=order.side,
        quantity=order.quantity,
        type=OrderType(order.type),
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=TimeInForce(order.time_in_force),
        quote_source=order.quote_source,
        commission=order.commission_terms,
        expires_at=order.expires_at,
    )


def fills_collect(*, account: BrokerAccount, broker: Broker) -> list[Fill]:
    """Book every report since the cursor, then move the cursor. Return the fills that were new."""
    cursor, _ = FillCursor.objects.get_or_create(account=account)
    booked = []
    for report in broker.fills_since(cursor.position):
        fill = fill_book(account=account, report=report)
        if fill is not None:
            booked.append(fill)
        _cursor_advance(cursor, report.cursor)
    return booked


def _cursor_advance(cursor: FillCursor, position: str) -> None:
    """Move the cursor on from where it was read; where another process moved it, its place is kept."""
    moved = FillCursor.objects.filter(pk=cursor.pk, position=cursor.position).update(position=position)
    if moved == 1:
        cursor.position = position
