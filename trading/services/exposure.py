"""What may still be bought: limits on value held in stock and on the share of one instrument, asked before an order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import F, OuterRef, Subquery, Sum

from portfolios.models import Cell, Portfolio
from trading.models import DailyMark, Order, TradingLimit
from trading.services.pricing import MarketPrice
from volbal.strategy import Decision, withheld_decision
from volbal.strategy.codes import Action, Reason

Kind = TradingLimit.Kind


@dataclass(slots=True)
class Room:
    """What a limit leaves to be bought, in currency; each order that is written takes from it."""

    left: float


@dataclass(frozen=True, slots=True)
class Held:
    """A cell's stock value, with what its open buys would add, and its value, both in currency."""

    cell_id: int
    portfolio_id: int
    instrument_id: int
    stock: float
    value: float


def buy_rooms(
    portfolio: Portfolio, cells: Sequence[Cell], prices: Mapping[int, MarketPrice]
) -> dict[int, tuple[Room, ...]]:
    """Return the rooms that each cell's buys must fit into, by cell id; none without limits.

    One query where nothing limits exposure, and two more where something does.
    """
    limits = [one for one in _limits(portfolio) if one.cell_id is None or one.cell_id in {cell.pk for cell in cells}]
    if not limits:
        return {}
    everyone = any(limit.portfolio_id is None for limit in limits)
    held = _held(portfolio, everyone, cells, prices)
    rooms: dict[int, list[Room]] = defaultdict(list)
    for limit in limits:
        for cell_ids, room in _rooms_of(limit, held):
            for cell_id in cell_ids:
                rooms[cell_id].append(room)
    return {cell_id: tuple(found) for cell_id, found in rooms.items()}


def _limits(portfolio: Portfolio) -> list[TradingLimit]:
    rows = TradingLimit.objects.filter(
        tenant_id=portfolio.tenant_id, kind__in=[Kind.EXPOSURE, Kind.CONCENTRATION], mode=TradingLimit.Mode.ON
    ).exclude(action=TradingLimit.Action.ALERT)
    return [one for one in rows if one.portfolio_id in (None, portfolio.pk)]


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


def _held(portfolio: Portfolio, everyone: bool, cells: Sequence[Cell], prices: Mapping[int, MarketPrice]) -> list[Held]:
    """Return what is held by the portfolio, or the whole firm: at the tick's prices, else at the newest marks."""
    now = {cell.pk: float(prices[cell.instrument_id].price) for cell in cells}
    newest = DailyMark.objects.filter(cell=OuterRef("pk")).order_by("-day").values("close")[:1]
    rows = Cell.objects.exclude(status=Cell.Status.ARCHIVED)
    rows = rows.filter(tenant_id=portfolio.tenant_id) if everyone else rows.filter(portfolio=portfolio)
    buying = dict(
        Order.objects.filter(cell__in=rows.values("pk"), side=Order.Side.BUY)
        .exclude(status__in=Order.ENDED)
        .order_by()
        .values("cell_id")
        .annotate(open=Sum((F("quantity") - F("filled_quantity")) * F("decision_price")))
        .values_list("cell_id", "open")
    )
    fields = ("pk", "portfolio_id", "instrument_id", "shares", "cash", "receivable", "close")
    found = []
    for pk, portfolio_id, instrument_id, shares, cash, receivable, close in rows.annotate(
        close=Subquery(newest)
    ).values_list(*fields):
        stock = float(shares) * now.get(pk, float(close or 0))
        pending = float(buying.get(pk) or 0)
        found.append(Held(pk, portfolio_id, instrument_id, stock + pending, stock + float(cash) + float(receivable)))
    return found


def members(limit: TradingLimit, held: Sequence[Held]) -> list[Held]:
    """Return what a limit is about: the whole firm's, a portfolio's or one cell's."""
    if limit.cell_id is not None:
        return [one for one in held if one.cell_id == limit.cell_id]
    if limit.portfolio_id is not None:
        return [one for one in held if one.portfolio_id == limit.portfolio_id]
    return list(held)


def stock_by_instrument(held: Sequence[Held]) -> dict[int, float]:
    """Return the stock value in each instrument, in currency."""
    stock: dict[int, float] = defaultdict(float)
    for one in held:
        stock[one.instrument_id] += one.stock
    return dict(stock)


def _rooms_of(limit: TradingLimit, held: Sequence[Held]) -> list[tuple[list[int], Room]]:
    mine, threshold = members(limit, held), float(limit.threshold)
    if limit.kind == Kind.EXPOSURE:
        return [([one.cell_id for one in mine], Room(threshold - sum(one.stock for one in mine)))]
    value = sum(one.value for one in mine)
    return [
        ([one.cell_id for one in mine if one.instrument_id == instrument], Room(threshold * value - stock))
        for instrument, stock in stock_by_instrument(mine).items()
    ]
