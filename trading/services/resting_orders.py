"""Laying orders at the triggers: what is no longer wanted is cancelled, and only its end makes room (strategy 12)."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from portfolios.models import Portfolio
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.feeds.registry import REPLAY
from trading.feeds.sources import source_of
from trading.models import Order
from trading.services.order_expiry import order_expires_at
from trading.services.order_states import order_move
from trading.services.resting_rule import SIDES, CellRests
from trading.services.restrictions import order_forbidden
from volbal.common import clock, numbers
from volbal.common.errors import Conflict
from volbal.strategy import Rest

ORIGIN = Origin(task="resting orders")
S = Order.Status

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Laid:
    """How many orders were written and how many are being cancelled, and how many still wait for their broker."""

    placed: int = 0
    cancelled: int = 0
    waiting: int = 0

    @property
    def to_send(self) -> int:
        """Return how many things the sender has to do."""
        return self.placed + self.cancelled


def rests_lay(*, portfolio: Portfolio, rests: Sequence[CellRests], as_of: dt.datetime, places: bool = True) -> Laid:
    """Bring what rests in line with what is wanted; cells are held locked. No broker is called here.

    An order that is still wanted stays where it is. One that is not is cancelled, and the next look lays the new one
    once it has ended: never are two orders of one side at the broker. With `places` False nothing new is written.
    """
    placed: list[Order] = []
    cancelled = waiting = 0
    for one in rests:
        for side, rest in zip(SIDES, one.wanted, strict=True):
            held = one.held.get(side)
            wants = rest.is_order and not one.clears
            if held is None:
                order = _intent(portfolio, one, rest, side, as_of) if wants and one.lays and places else None
                if order is not None and order_forbidden(one.standing, order) is None:
                    placed.append(order)
            elif not (wants and stands(held, rest)):
                moved = rest_cancel(held, "nothing may rest now" if one.clears else _why(rest))
                cancelled, waiting = cancelled + moved, waiting + (not moved)
            elif held.status in (S.INTENT, S.SUBMITTING, S.UNKNOWN):
                waiting += 1
    Order.objects.bulk_create(placed)
    return Laid(len(placed), cancelled, waiting)


def stands(order: Order, rest: Rest) -> bool:
    """Tell whether an order is what is wanted at its side, and is not being cancelled."""
    limit, quantity = numbers.price(rest.price), numbers.shares(rest.quantity)
    return order.status != S.CANCELLING and order.limit_price == limit and order.quantity == quantity


def rest_cancel(order: Order, detail: str) -> bool:
    """Cancel an order that rests: an intent at once, one at the broker by the next sender, which asks for it.

    Return whether it was moved: one whose submission is under way, or that is being cancelled, is waited for.
    """
    if order.status not in Order.CANCELLABLE:
        return False
    before = order.status
    try:
        with transaction.atomic():
            # By compare-and-set: an intent that a sender claimed meanwhile is at the broker, or soon will be.
            order_move(order, S.CANCELLED if before == S.INTENT else S.CANCELLING, detail=detail)
            event_record(
                kind="order.cancel_asked",
                subject=subject_of(order),
                origin=ORIGIN,
                tenant_id=order.tenant_id,
                before={"status": before},
                after={"detail": detail},
            )
    except Conflict as first:
        logger.info("%s", first)
        return False
    return True


def _why(rest: Rest) -> str:
    if rest.is_order:
        return f"laid anew: {rest.quantity:.6f} at {rest.price:.2f}"
    return f"not wanted: {rest.reason.replace('_', ' ')}"


def _intent(portfolio: Portfolio, one: CellRests, rest: Rest, side: Order.Side, as_of: dt.datetime) -> Order:
    """Return the order row that is committed before any broker hears of it: a limit at the trigger, for the day.

    In a replay it lasts until it is cancelled: laid anew the next day it would be the same.
    """
    moment, is_replay = clock.now(), portfolio.feed == REPLAY
    lasts = Order.TimeInForce.GTC if is_replay else Order.TimeInForce.DAY
    limit = numbers.price(rest.price)
    return Order(
        tenant_id=portfolio.tenant_id,
        account_id=portfolio.account_id,
        cell=one.cell,
        purpose=Order.Purpose.RESTING,
        side=side,
        type=Order.Type.LIMIT,
        time_in_force=lasts,
        quantity=numbers.shares(rest.quantity),
        limit_price=limit,
        reason=rest.reason,
        decision_price=limit,
        quote_source=source_of(portfolio),
        commission_rate=one.terms.rate,
        commission_per_share=one.terms.per_share,
        commission_min=one.terms.minimum,
        commission_cap=one.terms.cap,
        is_counted=False,
        expires_at=order_expires_at(
            portfolio=portfolio,
            exchange=one.cell.instrument.exchange,
            time_in_force=lasts,
            as_of=as_of,
            moment=moment,
        ),
        status_at=moment,
        as_of=as_of,
    )
