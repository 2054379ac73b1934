"""What must hold when the dust has settled: orders at the broker once, fills booked once, books that agree."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from decimal import Decimal

from django.db.models import Sum

from portfolios.models import LedgerEntry
from trading.models import (
    Evaluation,
    Fill,
    HeldFill,
    Order,
    OrderPlan,
    OrderTransition,
    PaperFill,
    PaperOrder,
    Quote,
    RefusedReport,
)
from volbal.common.tenancy import every_tenant

ENDED = set(Order.ENDED)


def open_orders() -> int:
    """Return how many orders have not ended."""
    with every_tenant():
        return Order.objects.exclude(status__in=ENDED).count()


def resting() -> list[str]:
    """Return each order that has not ended in a line: what it asks, what the market offers, what the broker has."""
    with every_tenant():
        left = Order.objects.exclude(status__in=ENDED).select_related("cell__instrument").order_by("id")
        return [_resting_line(order) for order in left]


def _resting_line(order: Order) -> str:
    quote = Quote.objects.filter(source=order.quote_source, instrument_id=order.cell.instrument_id).first()
    theirs = PaperOrder.objects.filter(client_order_id=order.client_order_id).values_list("status", flat=True).first()
    market = "no quote" if quote is None else f"bid {quote.bid} ask {quote.ask} of {quote.as_of:%H:%M:%S}"
    return (
        f"{order.client_order_id} {order.status} since {order.status_at:%H:%M:%S}, "
        f"{order.side} at {order.limit_price}, {market}, at the broker {theirs or 'unknown'}"
    )


def cancellations() -> dict[str, int]:
    """Return why orders were cancelled, without the figures in the reason, and how often."""
    with every_tenant():
        details = OrderTransition.objects.filter(after=Order.Status.CANCELLED).values_list("detail", flat=True)
        return dict(Counter(re.sub(r"[\d.,]+", "…", detail) or "no reason given" for detail in details))


def counts() -> dict[str, int]:
    """Return how much happened."""
    with every_tenant():
        states = Counter(Order.objects.values_list("status", flat=True))
        return {
            "evaluations": Evaluation.objects.count(),
            "orders": Order.objects.count(),
            **{f"orders {state}": number for state, number in sorted(states.items())},
            "orders that rested": Order.objects.filter(purpose=Order.Purpose.RESTING).count(),
            "orders in slices": OrderPlan.objects.count(),
            "sales by the protective stop": Order.objects.filter(purpose=Order.Purpose.STOP).count(),
            "moves": OrderTransition.objects.count(),
            "unknown for a while": OrderTransition.objects.filter(after=Order.Status.UNKNOWN).count(),
            "fills": Fill.objects.count(),
        }


def violations(deposits: Collection[str]) -> list[str]:
    """Return each broken promise in a line; none is what is hoped for. `deposits` are the keys that people used."""
    with every_tenant():
        return [
            *_orders_at_the_broker_once(),
            *_one_order_at_a_time(),
            *_fills_booked_once(),
            *_orders_add_up(),
            *_deposits_booked_once(deposits),
            *(f"fill {one.broker_fill_id} found no order: {one}" for one in HeldFill.objects.all()),
            *(f"a report was refused: {one.sentence}" for one in RefusedReport.objects.all()),
        ]


def _orders_at_the_broker_once() -> Iterator[str]:
    ours = dict(Order.objects.values_list("client_order_id", "status"))
    theirs = Counter(PaperOrder.objects.values_list("client_order_id", flat=True))
    for client_order_id, times in theirs.items():
        if times > 1:
            yield f"order {client_order_id} is at the broker {times} times"
        if client_order_id not in ours:
            yield f"the broker has order {client_order_id}, which we never made"
    reached = set(
        OrderTransition.objects.filter(after__in=[Order.Status.ACCEPTED, Order.Status.FILLED]).values_list(
            "order__client_order_id", flat=True
        )
    )
    for client_order_id in reached - set(theirs):
        yield f"order {client_order_id} was accepted and is not at the broker"
    for client_order_id, status in ours.items():
        if status not in ENDED:
            yield f"order {client_order_id} is still {status}"


def _one_order_at_a_time() -> Iterator[str]:
    """A cell decides again only when its last order has ended: two that overlap are one decision placed twice.

    Where orders rest, one lies on each side: those of one side never overlap, nor does any other order with them.
    """
    ended: dict[int, OrderTransition] = {}
    for move in OrderTransition.objects.filter(after__in=ENDED).order_by("id"):
        ended.setdefault(move.order_id, move)
    last: dict[int, dict[str, Order]] = defaultdict(dict)
    for order in Order.objects.order_by("cell_id", "id"):
        rests = order.purpose == Order.Purpose.RESTING
        earlier = [last[order.cell_id].get(kind) for kind in ((order.side, "") if rests else ("BUY", "SELL", ""))]
        for before in earlier:
            if before is not None and before.pk in ended and ended[before.pk].recorded_at > order.recorded_at:
                yield f"order {order.client_order_id} was made before {before.client_order_id} of its cell had ended"
        last[order.cell_id][order.side if rests else ""] = order


def _fills_booked_once() -> Iterator[str]:
    booked = Counter(Fill.objects.values_list("broker_fill_id", "account_id"))
    for (fill_id, _), times in booked.items():
        if times > 1:
            yield f"fill {fill_id} is booked {times} times"
    ours = {
        (one.account_id, one.order.client_order_id, one.quantity, one.price, one.broker_fill_id)
        for one in Fill.objects.select_related("order")
    }
    theirs = {
        (one.order.account_id, one.order.client_order_id, one.quantity, one.price, f"paper-{one.pk}")
        for one in PaperFill.objects.select_related("order")
    }
    for account_id, client_order_id, quantity, price, fill_id in sorted(theirs - ours):
        yield f"fill {fill_id} of {client_order_id} ({quantity} at {price}, account {account_id}) was lost"
    for account_id, client_order_id, quantity, price, fill_id in sorted(ours - theirs):
        yield f"fill {fill_id} of {client_order_id} ({quantity} at {price}, account {account_id}) never happened"


def _deposits_booked_once(keys: Collection[str]) -> Iterator[str]:
    booked = Counter(LedgerEntry.objects.filter(kind=LedgerEntry.Kind.DEPOSIT).values_list("key", flat=True))
    if booked != Counter(keys):
        missing, extra = sorted(set(keys) - set(booked)), sorted(set(booked) - set(keys))
        yield f"deposits {missing} are missing, {extra} are extra, {booked.total()} are booked"


def _orders_add_up() -> Iterator[str]:
    for order in Order.objects.annotate(booked=Sum("fills__quantity")):
        booked = Decimal(order.booked or 0)
        if booked != order.filled_quantity:
            yield f"order {order.client_order_id} says {order.filled_quantity} filled, its fills say {booked}"
        if booked > order.quantity:
            yield f"order {order.client_order_id} for {order.quantity} has {booked} filled"
        if order.status == Order.Status.FILLED and booked != order.quantity:
            yield f"order {order.client_order_id} is filled with {booked} of {order.quantity}"
