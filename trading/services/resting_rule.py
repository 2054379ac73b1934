"""What is to rest at the triggers of cells: asked of the rule as the backtest asks it (strategy 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from portfolios.commission import CommissionTerms
from portfolios.models import Cell
from portfolios.standings import Standing
from trading.models import Order
from trading.services.exposure import Room, exposure_decision
from trading.services.restrictions import reducing_decision
from volbal.common import numbers
from volbal.strategy import Rest, resting_levels, rests_many
from volbal.strategy import indices as at
from volbal.strategy.codes import Action
from volbal.strategy.numeric import FloatArray, cents, micro

SIDES = (Order.Side.SELL, Order.Side.BUY)
OpenRests = Mapping[tuple[int, str], Order]


@dataclass(frozen=True, slots=True)
class CellRests:
    """A cell that rests orders: what its rule wants at each trigger, the sell first, and what is open at each side.

    With `clears` nothing may rest and all that is open is cancelled; with `lays` False nothing new goes out, but what
    is open and no longer wanted is still cancelled.
    """

    cell: Cell
    standing: Standing
    terms: CommissionTerms
    wanted: tuple[Rest, Rest]
    held: Mapping[str, Order] = field(default_factory=dict)
    clears: bool = False
    lays: bool = True


def open_rests(cells: Sequence[Cell]) -> dict[tuple[int, str], Order]:
    """Return the orders that rest and have not ended, by cell id and side, in one query."""
    rows = Order.objects.filter(cell__in=[cell.pk for cell in cells], purpose=Order.Purpose.RESTING)
    return {(order.cell_id, order.side): order for order in rows.exclude(status__in=Order.ENDED)} if cells else {}


def rests_wanted(
    cells: Sequence[Cell],
    numbers_read: tuple[FloatArray, FloatArray],
    terms: Mapping[int, CommissionTerms],
    held: OpenRests,
    standings: Mapping[int, Standing],
    rooms: Mapping[int, tuple[Room, ...]],
) -> list[tuple[Rest, Rest]]:
    """Return what the rule wants to rest for each cell: its sell, then its buy.

    `numbers_read` are the cells' rows and their parameters' with the triggers in force. An order that has begun to
    fill is asked about as if it had not, so that a partial fill leaves it where it rests while the other side is sized
    anew. Where a cell may only reduce, or a limit leaves no room, the side is kept back and says so.
    """
    rows, parameters = numbers_read
    levels = resting_levels(rows, parameters)
    asked = np.repeat(rows[:, np.newaxis, :], 2, axis=1)
    rules = np.repeat(parameters[:, np.newaxis, :], 2, axis=1)
    for index, cell in enumerate(cells):
        for place, side in enumerate(SIDES):
            order, level = held.get((cell.pk, side)), levels[index, place]
            if order is not None:
                _take_back(asked[index, place], order)
            if level > 0.0 and terms[cell.pk].per_share:
                rate = terms[cell.pk].rule_rate(numbers.price(float(level)))
                rules[index, place, at.COMMISSION_RATE] = numbers.to_float(rate)
    columns = rests_many(asked, rules, levels)
    found = []
    for index, cell in enumerate(cells):
        sell, buy = columns.rest(index, 0), columns.rest(index, 1)
        row, standing = rules[index, 0], standings[cell.pk]
        room = _with_own(rooms.get(cell.pk, ()), held.get((cell.pk, Order.Side.BUY)))
        found.append((_allowed(sell, row, standing, ()), _allowed(buy, row, standing, room)))
    return found


def _take_back(row: FloatArray, order: Order) -> None:
    """Put a cell's row back to where it was before an open order began to fill."""
    if not order.filled_quantity:
        return
    filled, notional, commission = float(order.filled_quantity), float(order.notional), float(order.commission)
    if order.side == Order.Side.BUY:
        row[at.CASH] = cents(row[at.CASH] + notional + commission)
        row[at.SHARES] = micro(row[at.SHARES] - filled)
        row[at.BOUGHT] = max(micro(row[at.BOUGHT] - filled), 0.0)
    else:
        row[at.CASH] = cents(row[at.CASH] - notional + commission)
        row[at.SHARES] = micro(row[at.SHARES] + filled)
        row[at.SOLD] = max(micro(row[at.SOLD] - filled), 0.0)
    row[at.ORDERS] = max(row[at.ORDERS] - 1.0, 0.0)


def _with_own(rooms: tuple[Room, ...], order: Order | None) -> tuple[Room, ...]:
    """Give back to the rooms what the buy that rests already took of them: it is asked about again."""
    if order is not None and order.limit_price is not None:
        for room in rooms:
            room.left += float((order.quantity - order.filled_quantity) * order.limit_price)
    return rooms


def _allowed(rest: Rest, parameters: FloatArray, standing: Standing, rooms: tuple[Room, ...]) -> Rest:
    decision = rest.decision
    if not rest.is_order or decision is None:
        return rest
    if standing.is_reducing:
        low, high = float(parameters[at.MIN_STOCK]), float(parameters[at.MAX_STOCK])
        decision = reducing_decision(decision, min_stock=low, max_stock=high)
    decision = exposure_decision(decision, rooms)
    return rest.withheld(decision.reason) if decision.action == Action.SKIP else rest
