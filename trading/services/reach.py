"""What stands under a place: its cells, their open orders, and who sends for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q

from portfolios.models import Cell, TradingRestriction
from portfolios.standings import Place
from trading.models import Order, TradingLimit
from trading.services.order_cancels import CANCELLABLE


def place_named(row: TradingRestriction | TradingLimit) -> Place:
    """Return what a restriction or a limit applies to."""
    return Place(
        row.level,
        row.scope,
        row.label,
        tenant_id=row.tenant_id,
        broker=row.broker,
        account_id=row.account_id,
        portfolio_id=row.portfolio_id,
        cell_id=row.cell_id,
    )


def senders_at(on: Place) -> list[tuple[int, int]]:
    """Return the ids of tenants and accounts that have orders under a place which could be cancelled."""
    waiting = Order.objects.filter(cells_at(on, "cell__"), status__in=CANCELLABLE).order_by()
    return list(waiting.values_list("tenant_id", "account_id").distinct())


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

    @property
    def resumed(self) -> str:
        """Say in a sentence what follows once it is resumed."""
        if self.place.cell_id is not None:
            return "The rule is asked again from the next tick on; nothing is sent before."
        cells = "1 active cell is" if self.active_cells == 1 else f"{self.active_cells} active cells are"
        return f"{self.place.label}: {cells} asked again from the next tick on, save what is halted by itself."


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
