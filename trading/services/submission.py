"""The last look at orders before they are sent: whether they are in time, allowed, and still at their price.

Intents are claimed together, and each is looked at once more just before it goes out (strategy 9).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from portfolios.models import BrokerAccount, Cell, Portfolio
from portfolios.standings import InForce, restriction_ids, restrictions_in_force
from trading.feeds.registry import REPLAY
from trading.models import Order, Quote
from trading.services.order_costs import shortfall
from trading.services.order_ends import order_end
from trading.services.pricing import needs_new_decision
from trading.services.restrictions import order_forbidden
from volbal.common import clock
from volbal.common.errors import Conflict

BASIS_POINTS = 10_000
# Prices and cells that were read longer ago than this are read anew before the next order goes out.
LOOK_SECONDS = 0.02
ASKED_AGAIN = (Order.Purpose.RULE, Order.Purpose.SLICE)
S = Order.Status

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """The newest prices by source and instrument and the halts, read with the orders' cells (monotonic seconds)."""

    taken_at: float
    prices: Mapping[tuple[str, int], Decimal]
    in_force: InForce
    restrictions: frozenset[int]

    def is_old(self) -> bool:
        """Return whether all must be read anew before the next order goes out; one light query, for halts."""
        return time.monotonic() - self.taken_at > LOOK_SECONDS or not restriction_ids() <= self.restrictions


def look_at(orders: Collection[Order]) -> Look:
    """Read the status and holding of these orders' cells into them; return their newest prices and the halts.

    Four queries. Look after the orders were claimed for sending, and ask `is_old` before each that follows: then none
    goes out after a halt was committed.
    """
    taken_at, restrictions = time.monotonic(), restriction_ids()
    read = Cell.objects.filter(pk__among={order.cell_id for order in orders})
    cells = {pk: values for pk, *values in read.values_list("pk", "status", "cash", "shares")}
    for order in orders:
        order.cell.status, order.cell.cash, order.cell.shares = cells[order.cell_id]
    quotes = Quote.objects.filter(
        source__in={order.quote_source for order in orders},
        instrument__among={order.cell.instrument_id for order in orders},
    )
    # The newest one counts, accepted or not: the rule, asked again, judges whether it may be traded on.
    prices = {
        (source, instrument_id): newest
        for source, instrument_id, accepted, reference in quotes.values_list(
            "source", "instrument_id", "price", "reference"
        )
        if (newest := accepted if reference is None else reference) is not None
    }
    in_force = restrictions_in_force(portfolio_ids={order.cell.portfolio_id for order in orders})
    return Look(taken_at, prices, in_force, restrictions)


def intents_expire(*, account: BrokerAccount) -> None:
    """End day orders that were not sent by their close, whether or not the broker answers."""
    late = Order.objects.filter(account=account, status=S.INTENT, expires_at__lte=clock.now())
    for order in late.order_by("id"):
        _end(order, S.EXPIRED, "not sent before the close")


def may_be_sent(*, order: Order, look: Look) -> bool:
    """Return whether a claimed order may be sent now; one that may not is ended.

    With a look taken after the claim nothing is sent that was claimed after a halt or a pause was committed, nor what
    money or shares that were taken out would have covered. A rule's order whose price moved by more than 20 bps since
    it was decided is cancelled, counts no longer among the day's orders, and its portfolio is looked at again at once;
    a slice goes back to the order it is of, which is asked about it anew. A protective stop sells at market whatever
    the price has become since it struck, what rests has a limit of its own, a replay is history and an order by hand a
    person's.
    """
    if order.expires_at is not None and order.expires_at <= clock.now():
        _end(order, S.EXPIRED, "not sent before the close")
        return False
    refusal = _unwanted(order) or order_forbidden(look.in_force.of_cell(order.cell), order)
    if refusal is not None:
        _end(order, S.CANCELLED, refusal)
        return False
    price = _moved_to(order, look)
    if price is None:
        return True
    drift = abs(price / order.decision_price - 1) * BASIS_POINTS
    detail = (
        f"The price went from {order.decision_price.normalize():f} to {price.normalize():f} ({drift:.0f} bps) "
        "before it was sent; the rule is asked again."
    )
    if _end(order, S.CANCELLED, detail, again=True):
        # Where orders rest, the question near the close is asked again too.
        Cell.objects.filter(pk=order.cell_id, close_asked_on__isnull=False).update(close_asked_on=None)
        # After the order's own transaction: a tick holds its portfolio first and then the cells.
        ticking = Portfolio.objects.filter(pk=order.cell.portfolio_id, next_tick_at__isnull=False)
        ticking.update(next_tick_at=clock.now())
    return False


def _unwanted(order: Order) -> str | None:
    """Return why an order no longer suits its cell as that was last read; None where it does."""
    cell = order.cell
    by_hand = order.purpose == Order.Purpose.MANUAL and cell.status != Cell.Status.ARCHIVED
    if cell.status != Cell.Status.ACTIVE and not by_hand:
        return f"not sent: the cell is {cell.get_status_display().lower()}"
    short = shortfall(order)
    return None if short is None else f"not sent: {short}"


def _end(order: Order, after: Order.Status, detail: str, *, again: bool = False) -> bool:
    only_from = S(order.status)
    try:
        return order_end(order=order, after=after, detail=detail, was_submitted=False, only_from=only_from, again=again)
    except Conflict as first:
        logger.info("%s", first)
        return False


def _moved_to(order: Order, look: Look) -> Decimal | None:
    """Return the newest price where it is too far from the one decided at; None where the order may go."""
    if order.purpose not in ASKED_AGAIN or order.decision_price is None or order.cell.portfolio.feed == REPLAY:
        return None
    price = look.prices.get((order.quote_source, order.cell.instrument_id))
    if price is None:
        return None
    return price if needs_new_decision(decided_at=order.decision_price, now=price) else None
