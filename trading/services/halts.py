"""Placing halts from where people are: what one would reach, and waking those who cancel."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from django.db import transaction
from django.db.models import Q

from portfolios.models import Cell, TradingRestriction
from portfolios.models.restriction import PERSON
from portfolios.services import Origin, restriction_place
from portfolios.standings import Place
from trading import tasks
from trading.models import Order
from trading.services.order_cancels import CANCELLABLE


def place_restrict(
    *, on: Place, state: str, origin: Origin, cause: str = PERSON, cancels_orders: bool = True
) -> TradingRestriction:
    """Place a restriction (see `restriction_place`) and wake the senders of what it cancels, after the commit."""
    with transaction.atomic():
        row = restriction_place(on=on, state=state, origin=origin, cause=cause, cancels_orders=cancels_orders)
        if cancels_orders:
            transaction.on_commit(partial(_wake_senders, on))
    return row


def _wake_senders(on: Place) -> None:
    waiting = Order.objects.filter(cells_at(on, "cell__"), status__in=CANCELLABLE).order_by()
    for tenant_id, account_id in waiting.values_list("tenant_id", "account_id").distinct():
        tasks.send_orders.delay(tenant_id, account_id)


def cells_at(on: Place, path: str = "") -> Q:
    """Return the condition on cells, found by `path`, that stand under a place."""
    for name, value in (
        ("pk", on.cell_id),
        ("portfolio", on.portfolio_id),
        ("portfolio__account", on.account_id),
        ("tenant", on.tenant_id),
        ("portfolio__account__broker", on.broker or None),
    ):
        if value is not None:
            return Q(**{f"{path}{name}": value})
    return Q()


@dataclass(frozen=True, slots=True)
class Reach:
    """What stands under a place: cells that trade, and orders that are open."""

    place: Place
    active_cells: int
    open_orders: int
    open_buys: int

    def __str__(self) -> str:
        """Say it in a line."""
        cells = "1 active cell" if self.active_cells == 1 else f"{self.active_cells} active cells"
        orders = "1 open order" if self.open_orders == 1 else f"{self.open_orders} open orders"
        return f"{self.place.label}: {cells}, {orders}, of these {self.open_buys} to buy"


def reaches(places: Collection[Place]) -> list[Reach]:
    """Return what restrictions on places would reach."""
    return [_reach(place) for place in places]


def _reach(place: Place) -> Reach:
    active = Cell.objects.filter(cells_at(place), status=Cell.Status.ACTIVE).count()
    sides = list(
        Order.objects.filter(cells_at(place, "cell__"))
        .exclude(status__in=Order.ENDED)
        .order_by()
        .values_list("side", flat=True)
    )
    return Reach(place, active, len(sides), sides.count(Order.Side.BUY))
