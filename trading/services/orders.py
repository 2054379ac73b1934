"""Sending intents to brokers and learning what became of them. No broker is called inside a transaction."""

from __future__ import annotations

import logging

from portfolios.models import BrokerAccount, Portfolio
from trading.brokers.base import (
    DUPLICATE_ORDER,
    Broker,
    BrokerAccessError,
    BrokerBusyError,
    BrokerRejectedError,
    BrokerUnreachableError,
    FillReport,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from trading.brokers.registry import broker_of
from trading.feeds.registry import REPLAY
from trading.marketdata import calendars
from trading.models import Fill, FillCursor, Order
from trading.services.broker_lines import line_answers, line_silent
from trading.services.broker_updates import broker_order_apply
from trading.services.commission_corrections import commission_correct
from trading.services.fills import fill_book
from trading.services.order_asking import orders_ask, orders_recover, orders_settle
from trading.services.order_cancels import order_cancel
from trading.services.order_ends import order_end
from trading.services.order_states import ForbiddenMoveError, order_claim
from trading.services.reconciliation import reconciliation_require
from trading.services.resting_cancels import rests_take_back
from trading.services.restrictions import orders_forbidden
from trading.services.submission import intent_claim, intent_stands, intents_expire
from volbal.common import clock, numbers
from volbal.common.errors import Conflict

logger = logging.getLogger(__name__)


def orders_send(*, account_id: int) -> list[Fill]:
    """Submit every waiting intent of an account, then book what the broker reports. Return the new fills.

    Safe to run many times and in many processes: an intent is claimed by compare-and-set before the broker is
    called, and a fill is booked once. A broker that does not answer is asked again at the next call.
    """
    account = BrokerAccount.objects.get(pk=account_id)
    broker = broker_of(account)
    fills: list[Fill] = []
    intents_expire(account=account)
    try:
        orders_cancel_forbidden(account=account)
        rests_take_back(account=account, broker=broker)
        orders_recover(account=account, broker=broker)
        asked = orders_ask(account=account, broker=broker)
        if not reconciliation_require(account=account).blocks:
            for order in _intents(account):
                if intent_stands(order=order) and intent_claim(order=order):
                    _submit(broker, order)
        fills += fills_collect(account=account, broker=broker)
        orders_settle(account=account, broker=broker, asked=asked)
    except BrokerBusyError as busy:
        logger.info("the broker of account %s takes no more for now: %s", account.pk, busy)
    except BrokerUnreachableError as silence:
        logger.warning("the broker of account %s does not answer: %s", account.pk, silence)
        line_silent(account=account, error=silence)
    else:
        line_answers(account=account)
    return fills


def _intents(account: BrokerAccount) -> list[Order]:
    rows = Order.objects.filter(account=account, status=Order.Status.INTENT)
    held = rows.select_related("account", "cell__instrument", "cell__parameters", "cell__portfolio__account")
    return list(held.order_by("id"))


def orders_cancel_forbidden(*, account: BrokerAccount) -> None:
    """Cancel the open orders that a halt in force takes back; cancellations always go out."""
    for order, reason in orders_forbidden(account=account):
        try:
            order_cancel(order=order, detail=reason)
        except (Conflict, ForbiddenMoveError) as first:
            logger.info("%s", first)


def _submit(broker: Broker, order: Order) -> None:
    try:
        answer = broker.submit(order_request(order))
    except BrokerRejectedError as refusal:
        _keep_refusal(order, refusal)
    except (BrokerBusyError, BrokerAccessError) as silence:
        # Certainly nothing was sent: the intent waits, and so do those behind it.
        order_claim(order, Order.Status.INTENT, detail=str(silence))
        raise
    except BrokerUnreachableError as silence:
        # Those behind it stay intents: each would wait for an answer as long.
        order_claim(order, Order.Status.UNKNOWN, detail=str(silence))
        raise
    else:
        # It may be filled already: its report can be booked by another process before the answer reaches this one.
        broker_order_apply(account=order.account, told=answer)


def _keep_refusal(order: Order, refusal: BrokerRejectedError) -> None:
    if refusal.code == DUPLICATE_ORDER:
        # An earlier attempt arrived after all: it is asked about, for it may be at work or filled.
        order_claim(order, Order.Status.UNKNOWN, detail=str(refusal))
    else:
        order_end(order=order, after=Order.Status.REJECTED, detail=str(refusal), reject_code=refusal.code)


def order_request(order: Order) -> OrderRequest:
    """Return what is asked of a broker for an order, now."""
    return OrderRequest(
        client_order_id=order.client_order_id,
        symbol=order.cell.instrument.symbol,
        side=order.side,
        quantity=order.quantity,
        type=OrderType(order.type),
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=TimeInForce(order.time_in_force),
        extended_hours=_is_after_hours(order),
        quote_source=order.quote_source,
        commission=order.commission_terms,
        expires_at=order.expires_at,
    )


def _is_after_hours(order: Order) -> bool:
    """Return whether an order goes out while only the extended session of a portfolio that trades in it is open."""
    portfolio, exchange = order.cell.portfolio, order.cell.instrument.exchange
    extended = portfolio.trading_hours == Portfolio.TradingHours.EXTENDED and portfolio.feed != REPLAY
    return extended and not calendars.is_open(exchange, clock.now())


def fills_collect(*, account: BrokerAccount, broker: Broker) -> list[Fill]:
    """Take every report since the cursor, then move the cursor. Return the fills that were new."""
    cursor, _ = FillCursor.objects.get_or_create(account=account)
    booked = []
    for report in broker.fills_since(cursor.position):
        fill = fill_book(account=account, report=report)
        if fill is not None:
            booked.append(fill)
        elif report.commission is not None:
            _commission_again(account, report)
        _cursor_advance(cursor, report.cursor)
    return booked


def _commission_again(account: BrokerAccount, report: FillReport) -> None:
    """Correct the commission of a fill that is told again: some brokers know it only after the fill itself."""
    if Fill.objects.filter(account=account, broker_fill_id=report.broker_fill_id).exists():
        commission = numbers.money(report.commission or 0)
        commission_correct(account=account, broker_fill_id=report.broker_fill_id, commission=commission)


def _cursor_advance(cursor: FillCursor, position: str) -> None:
    """Move the cursor on from where it was read; where another process moved it, its place is kept."""
    moved = FillCursor.objects.filter(pk=cursor.pk, position=cursor.position).update(position=position)
    if moved == 1:
        cursor.position = position
