"""The last look at an intent before it is sent: whether it is still in time, and still at its price (strategy 9)."""

from __future__ import annotations

import logging
from decimal import Decimal

from portfolios.models import BrokerAccount, Cell, Portfolio
from trading.feeds.registry import REPLAY
from trading.models import Order, Quote
from trading.services.order_costs import shortfall
from trading.services.order_ends import order_end
from trading.services.order_states import order_claim
from trading.services.pricing import needs_new_decision
from trading.services.restrictions import submission_refusal
from volbal.common import clock
from volbal.common.errors import Conflict

BASIS_POINTS = 10_000
S = Order.Status

logger = logging.getLogger(__name__)


def intents_expire(*, account: BrokerAccount) -> None:
    """End day orders that were not sent by their close, whether or not the broker answers."""
    late = Order.objects.filter(account=account, status=S.INTENT, expires_at__lte=clock.now())
    for order in late.order_by("id"):
        _end(order, S.EXPIRED, "not sent before the close")


def intent_stands(*, order: Order) -> bool:
    """Return whether an intent may be sent now.

    A rule's order whose price moved by more than 20 bps since it was decided is cancelled, counts no longer among the
    day's orders, and its portfolio is looked at again at once. A replay is history and an order by hand a person's.
    """
    if order.expires_at is not None and order.expires_at <= clock.now():
        return False
    price = _moved_to(order)
    if price is None:
        return True
    drift = abs(price / order.decision_price - 1) * BASIS_POINTS
    detail = (
        f"The price went from {order.decision_price.normalize():f} to {price.normalize():f} ({drift:.0f} bps) "
        "before it was sent; the rule is asked again."
    )
    if _end(order, S.CANCELLED, detail):
        # Where orders rest, the question near the close is asked again too.
        Cell.objects.filter(pk=order.cell_id, close_asked_on__isnull=False).update(close_asked_on=None)
        # After the order's own transaction: a tick holds its portfolio first and then the cells.
        ticking = Portfolio.objects.filter(pk=order.cell.portfolio_id, next_tick_at__isnull=False)
        ticking.update(next_tick_at=clock.now())
    return False


def intent_claim(*, order: Order) -> bool:
    """Claim an intent for sending; return False where another process was first, or it may not be sent any more.

    A halt, a cell that was paused or put away, and what it holds are asked for after the claim: what was claimed after
    a halt was committed is never sent, and neither is what money or shares that were taken out would have covered.
    """
    if not order_claim(order, S.SUBMITTING):
        return False
    order.cell.refresh_from_db(fields=["status", "cash", "shares"])
    refusal = _unwanted(order) or submission_refusal(order)
    if refusal is not None:
        _end(order, S.CANCELLED, refusal)
    return refusal is None


def _unwanted(order: Order) -> str | None:
    """Return why an order no longer suits its cell, which was just read; None where it does."""
    cell = order.cell
    by_hand = order.purpose == Order.Purpose.MANUAL and cell.status != Cell.Status.ARCHIVED
    if cell.status != Cell.Status.ACTIVE and not by_hand:
        return f"not sent: the cell is {cell.get_status_display().lower()}"
    short = shortfall(order)
    return None if short is None else f"not sent: {short}"


def _end(order: Order, after: Order.Status, detail: str) -> bool:
    try:
        return order_end(order=order, after=after, detail=detail, was_submitted=False, only_from=S(order.status))
    except Conflict as first:
        logger.info("%s", first)
        return False


def _moved_to(order: Order) -> Decimal | None:
    """Return the newest price where it is too far from the one decided at; None where the order may go."""
    portfolio = order.cell.portfolio
    if order.purpose != Order.Purpose.RULE or order.decision_price is None or portfolio.feed == REPLAY:
        return None
    quote = Quote.objects.filter(source=order.quote_source, instrument_id=order.cell.instrument_id).first()
    # The newest one counts, accepted or not: the rule, asked again, judges whether it may be traded on.
    price = None if quote is None else quote.price if quote.reference is None else quote.reference
    if price is None:
        return None
    return price if needs_new_decision(decided_at=order.decision_price, now=price) else None
