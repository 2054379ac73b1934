"""What may still be bought: limits on value held in stock and on the share of one instrument, asked before an order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import F, OuterRef, Q, Subquery, Sum

from portfolios.models import Cell, Portfolio, TradingRestriction
from portfolios.standings import place_of
from trading.models import DailyMark, Order, TradingLimit
from trading.services.limit_cells import ABOVE_PORTFOLIOS, Members, limits_over
from trading.services.pricing import MarketPrice
from volbal.common.tenancy import every_tenant
from volbal.strategy import Decision, withheld_decision
from volbal.strategy.codes import Action, Reason

Kind = TradingLimit.Kind
Level = TradingRestriction.Level


@dataclass(slots=True)
class Room:
    """What a limit leaves to be bought, in currency; each order that is written takes from it."""

    left: float


@dataclass(frozen=True, slots=True)
class Held:
    """A cell's stock value, with what its open buys would add, and its value, both in currency."""

    cell_id: int
    portfolio_id: int
    account_id: int
    tenant_id: int
    broker: str
    mode: str
    instrument_id: int
    stock: float
    value: float


def buy_rooms(
    portfolio: Portfolio, cells: Sequence[Cell], prices: Mapping[int, MarketPrice]
) -> dict[int, tuple[Room, ...]]:
    """Return the rooms that each cell's buys must fit into, by cell id; none without limits.

    One query where nothing limits exposure, and two more where something does.
    """
    limits = _limits(portfolio, cells)
    if not limits:
        return {}
    held = Members(_held(portfolio, limits, cells, prices))
    rooms: dict[int, list[Room]] = defaultdict(list)
    for limit in limits:
        for cell_ids, room in _rooms_of(limit, held.of(limit)):
            for cell_id in cell_ids:
                rooms[cell_id].append(room)
    return {cell_id: tuple(found) for cell_id, found in rooms.items()}


def _limits(portfolio: Portfolio, cells: Sequence[Cell]) -> list[TradingLimit]:
    """Return the limits on what the cells may buy; of those above a replay none, it has a time of its own."""
    rows = TradingLimit.objects.filter(
        limits_over(place_of(portfolio)) | Q(level=Level.CELL, cell__among=[cell.pk for cell in cells]),
        kind__in=[Kind.EXPOSURE, Kind.CONCENTRATION],
        mode=TradingLimit.Mode.ON,
    ).exclude(action=TradingLimit.Action.ALERT)
    if portfolio.mode == Portfolio.Mode.REPLAY:
        rows = rows.exclude(level__in=ABOVE_PORTFOLIOS)
    return list(rows)


def exposure_decision(decision: Decision, rooms: tuple[Room, ...]) -> Decision:
    """Return a SKIP `exposure_limit` for a buy that does not fit, and take one that does from its rooms.

    Sells are never held back.
    """
    if decision.action != Action.BUY or not rooms:
        return decision
    notional = decision.quantity * decision.price
    if any(room.left < notional for room in rooms):
        return withheld_decision(decision, Reason.EXPOSURE_LIMIT)
    for room in rooms:
        room.left -= notional
    return decision


def _held(
    portfolio: Portfolio, limits: Sequence[TradingLimit], cells: Sequence[Cell], prices: Mapping[int, MarketPrice]
) -> list[Held]:
    """Return what is held as far as limits add it up: at the tick's prices, else at the newest marks."""
    now = {cell.pk: float(prices[cell.instrument_id].price) for cell in cells}
    with every_tenant():
        # A limit everywhere or on a broker adds up what other firms hold; nothing of theirs leaves this sum.
        return [_valued(row, now) for row in _rows_held(_reach(portfolio, limits))]


def _reach(portfolio: Portfolio, limits: Sequence[TradingLimit]) -> Q:
    """Return the condition on the cells that have to be known: those under the highest place that is limited."""
    levels = {limit.level for limit in limits}
    present = Q(portfolio__is_archived=False)
    if Level.EVERYWHERE in levels:
        return present
    reach = Q(portfolio=portfolio)
    if Level.BROKER in levels:
        reach |= present & Q(portfolio__account__broker=portfolio.account.broker)
    if Level.TENANT in levels:
        reach |= present & Q(tenant=portfolio.tenant_id)
    if Level.ACCOUNT in levels:
        reach |= present & Q(portfolio__account=portfolio.account_id)
    return reach


def _rows_held(reach: Q) -> list[dict[str, Any]]:
    """Return the figures of open cells, their open buys and newest close with them, in two queries."""
    newest = DailyMark.objects.filter(cell=OuterRef("pk")).order_by("-day").values("close")[:1]
    rows = Cell.objects.filter(reach).exclude(status=Cell.Status.ARCHIVED)
    buying = dict(
        Order.objects.filter(cell__in=rows.order_by().values("pk"), side=Order.Side.BUY)
        .exclude(status__in=Order.ENDED)
        .order_by()
        .values("cell_id")
        .annotate(open=Sum((F("quantity") - F("filled_quantity")) * F("decision_price")))
        .values_list("cell_id", "open")
    )
    found = rows.annotate(
        close=Subquery(newest),
        account_id=F("portfolio__account_id"),
        broker=F("portfolio__account__broker"),
        mode=F("portfolio__mode"),
    ).values(*_FIELDS, "shares", "cash", "receivable", "close")
    return [row | {"open": float(buying.get(row["pk"]) or 0)} for row in found]


_FIELDS = ("pk", "portfolio_id", "account_id", "tenant_id", "broker", "mode", "instrument_id")


def _valued(row: Mapping[str, Any], now: Mapping[int, float]) -> Held:
    stock = float(row["shares"]) * now.get(row["pk"], float(row["close"] or 0))
    value = stock + float(row["cash"]) + float(row["receivable"])
    given = {name: row[name] for name in _FIELDS if name != "pk"}
    return Held(cell_id=row["pk"], stock=stock + row["open"], value=value, **given)


class Holding(Protocol):
    """Stock in one instrument, in currency."""

    @property
    def instrument_id(self) -> int: ...
    @property
    def stock(self) -> float: ...


def stock_by_instrument(held: Sequence[Holding]) -> dict[int, float]:
    """Return the stock value in each instrument, in currency."""
    stock: dict[int, float] = defaultdict(float)
    for one in held:
        stock[one.instrument_id] += one.stock
    return dict(stock)


def _rooms_of(limit: TradingLimit, mine: Sequence[Held]) -> list[tuple[list[int], Room]]:
    threshold = float(limit.threshold)
    if limit.kind == Kind.EXPOSURE:
        return [([one.cell_id for one in mine], Room(threshold - sum(one.stock for one in mine)))]
    value = sum(one.value for one in mine)
    return [
        ([one.cell_id for one in mine if one.instrument_id == instrument], Room(threshold * value - stock))
        for instrument, stock in stock_by_instrument(mine).items()
    ]
