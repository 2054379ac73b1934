"""What of orders and of brokers' reports a person should look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, Count, F, Q, When, Window
from django.db.models.functions import RowNumber

from trading.models import BrokerCash, HeldFill, Order, RefusedReport
from trading.selectors.orders import failed, stuck, stuck_because
from volbal.common import clock

MOST_ORDERS = 8


@dataclass(frozen=True, slots=True)
class Attention:
    """Something a person should look at: what, why, and where: a cell and its tab, a portfolio, or the console."""

    kind: str
    text: str
    cell_id: int | None
    portfolio_id: int | None
    tab: str = ""
    console: str = ""


def order_attention(portfolio_ids: Sequence[int]) -> list[Attention]:
    """Return the newest orders that do not go on by themselves, or failed and nobody took note; in one query.

    Rejected ones come last and once for each cell: a broker that refuses again and again hides nothing else.
    """
    moment, alike = clock.now(), [F("cell"), F("status")]
    rows = Order.objects.filter(cell__portfolio__in=portfolio_ids).filter(stuck(moment) | failed())
    counted = rows.annotate(
        alike=Window(Count("pk"), partition_by=alike),
        place=Window(RowNumber(), partition_by=alike, order_by="-id"),
        is_rejected=Case(When(status=Order.Status.REJECTED, then=1), default=0),
    ).filter(Q(is_rejected=0) | Q(place=1))
    found = counted.select_related("cell__instrument").order_by("is_rejected", "-id")[:MOST_ORDERS]
    return [
        Attention(
            "overfilled" if order.is_overfilled else order.status,
            f"{order.cell.instrument.symbol}: order to {order.side.lower()} {order.quantity.normalize():f}: "
            f"{stuck_because(order, moment)}{_earlier(order)}",
            order.cell_id,
            None,
            tab="orders",
        )
        for order in found
    ]


def report_attention() -> list[Attention]:
    """Return how many reports of the tenant's brokers wait for a person, by account; in three queries."""
    held = HeldFill.objects.filter(resolution=None).order_by("account__name").values_list("account__name")
    cash = (
        BrokerCash.objects.filter(status=BrokerCash.Status.OPEN).order_by("account__name").values_list("account__name")
    )
    refused = RefusedReport.objects.filter(status=RefusedReport.Status.OPEN).order_by("account__name")
    return [
        *(
            Attention(
                "held",
                f"{name}: {_counted(count, 'fill')} without an order of ours. Adopt or ignore.",
                None,
                None,
                console="admin:trading_heldfill_changelist",
            )
            for name, count in held.annotate(count=Count("pk"))
        ),
        *(
            Attention(
                "refused",
                f"{name}: {_counted(count, 'report')} of the broker that cannot be true. Try again or dismiss.",
                None,
                None,
                console="admin:trading_refusedreport_changelist",
            )
            for name, count in refused.values_list("account__name").annotate(count=Count("pk"))
        ),
        *(
            Attention(
                "cash",
                f"{name}: {_counted(count, 'movement')} of cash at the broker. Book it, or say that it is booked.",
                None,
                None,
                console="admin:trading_brokercash_changelist",
            )
            for name, count in cash.annotate(count=Count("pk"))
        ),
    ]


def _earlier(order: Order) -> str:
    """Say how many orders of its cell were rejected before it and wait for a note too."""
    count: int = getattr(order, "alike", 1) - 1
    if order.status != Order.Status.REJECTED or count == 0:
        return ""
    return f" {_counted(count, 'order')} before it {'was' if count == 1 else 'were'} rejected too."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
