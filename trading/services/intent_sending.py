"""Sending intents: claimed together, looked at and submitted one by one. No broker is called inside a transaction."""

from __future__ import annotations

import time
from collections import deque

from portfolios.models import BrokerAccount, Portfolio
from trading.brokers.base import (
    DUPLICATE_ORDER,
    Broker,
    BrokerAccessError,
    BrokerBusyError,
    BrokerOrder,
    BrokerRejectedError,
    BrokerUnreachableError,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from trading.feeds.registry import REPLAY
from trading.marketdata import calendars
from trading.models import Order
from trading.services.broker_patience import Patience
from trading.services.broker_turns import LONGEST_TURN_SECONDS
from trading.services.broker_updates import broker_order_apply
from trading.services.order_ends import order_end
from trading.services.order_states import order_claim, orders_claim
from trading.services.submission import Look, look_at, may_be_sent
from volbal.common import clock

# So many are claimed together, and for so long: what was not sent by then is an intent again, which a person can
# cancel. Far below what an order may stay `submitting` before it is asked about (`order_asking.ANSWER_SECONDS`).
BATCH = 100
CLAIM_SECONDS = 1.0


def intents_send(*, account: BrokerAccount, broker: Broker, patience: Patience) -> None:
    """Submit every waiting intent of an account, each claimed by compare-and-set before the broker is called.

    Without an answer an order is `unknown` and the next is sent, as far as `patience` goes. Raises BrokerBusyError and
    BrokerUnreachableError where it ends: the order in question is an intent again or `unknown`, those behind it are
    intents. So are those that a slow broker has no time for in one turn.
    """
    waiting, ends = deque(_intents(account)), time.monotonic() + LONGEST_TURN_SECONDS
    while waiting and time.monotonic() < ends:
        batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
        waiting.extendleft(reversed(_send(account, broker, orders_claim(batch, Order.Status.SUBMITTING), patience)))


def _intents(account: BrokerAccount) -> list[Order]:
    rows = Order.objects.filter(account=account, status=Order.Status.INTENT)
    held = rows.select_related("account", "cell__instrument", "cell__parameters", "cell__portfolio__account")
    return list(held.order_by("id"))


def _send(account: BrokerAccount, broker: Broker, claimed: list[Order], patience: Patience) -> list[Order]:
    """Submit claimed orders, at least one of them, and return those for which there was no time: intents again."""
    since, left = time.monotonic(), deque(claimed)
    look: Look | None = None
    answers: list[BrokerOrder] = []
    try:
        while left and (look is None or time.monotonic() - since < CLAIM_SECONDS):
            look = look_at(left) if look is None or look.is_old() else look
            order = left.popleft()
            if not may_be_sent(order=order, look=look):
                continue
            with patience.call():
                if (answer := _submit(broker, order)) is not None:
                    answers.append(answer)
    finally:
        back = orders_claim(left, Order.Status.INTENT, detail="given back: there was no time to send it")
        for answer in answers:
            # It may be filled already: its report can be booked by another process before the answer is.
            broker_order_apply(account=account, told=answer)
    return back


def _submit(broker: Broker, order: Order) -> BrokerOrder | None:
    """Return the broker's answer, None where it refused the order."""
    try:
        return broker.submit(order_request(order))
    except BrokerRejectedError as refusal:
        _keep_refusal(order, refusal)
        return None
    except (BrokerBusyError, BrokerAccessError) as silence:
        # Certainly nothing was sent: the intent waits, and so do those behind it.
        order_claim(order, Order.Status.INTENT, detail=str(silence))
        raise
    except BrokerUnreachableError as silence:
        order_claim(order, Order.Status.UNKNOWN, detail=str(silence))
        raise


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
