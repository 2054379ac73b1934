"""Resting execution: both triggers lie at the broker as limit orders (strategy 12)."""

import math

from volbal.strategy import codes
from volbal.strategy import indices as at
from volbal.strategy.compile import compiled
from volbal.strategy.execution import fill_order
from volbal.strategy.market import Market
from volbal.strategy.numeric import FloatArray
from volbal.strategy.rule import buy_threshold, decide_row, sell_threshold
from volbal.strategy.workspace import Record, Workspace


@compiled
def sell_level(anchor: float, trigger_up: float) -> float:
    """Return the limit of the resting sell order, in whole cents at or above the trigger."""
    return math.ceil(sell_threshold(anchor, trigger_up) * 100.0) / 100.0


@compiled
def buy_level(anchor: float, trigger_down: float) -> float:
    """Return the limit of the resting buy order, in whole cents at or below the trigger; none is met at 0."""
    return math.floor(buy_threshold(anchor, trigger_down) * 100.0) / 100.0


@compiled
def resting_order(cell: FloatArray, parameters: FloatArray, level: float, side: int) -> tuple[float, int]:
    """Return signed quantity and reason of the order at a level above 0; quantity 0 where none rests.

    None does at a price where the protective stop strikes: that one is looked at with the price, not rested.
    """
    action, reason, _, _, quantity = decide_row(level, cell, parameters, side)
    if action != (codes.BUY if side > 0 else codes.SELL) or reason == codes.BY_STOP:
        return 0.0, reason
    return quantity, reason


@compiled
def try_level(work: Workspace, record: Record, bar: int, level: float, side: int, price: float) -> bool:
    """Fill the order that rests at a level, at `price`, and tell whether there was one."""
    quantity, reason = resting_order(work.cell, work.parameters, level, side)
    if quantity == 0.0 or not fill_order(work, record, bar, quantity, price, reason):
        return False
    work.cell[at.ORDERS] += 1.0
    return True


@compiled
def walk_leg(work: Workspace, record: Record, bar: int, start: float, end: float) -> None:
    """Fill what rests between two points of a bar, each fill going on with its anchor's new levels."""
    price = start
    while work.cell[at.ANCHOR] > 0.0:
        if end > price:
            level, side = sell_level(work.cell[at.ANCHOR], work.parameters[at.TRIGGER_UP]), -1
            reached = price < level <= end
        else:
            level, side = buy_level(work.cell[at.ANCHOR], work.parameters[at.TRIGGER_DOWN]), 1
            reached = end <= level < price
        if not reached or not try_level(work, record, bar, level, side, level):
            return
        price = level


@compiled
def walk_bar(work: Workspace, record: Record, market: Market, bar: int, low_first: bool) -> None:
    """Walk a bar along its four points, the low before the high or after it."""
    opening = market.open[bar]
    if work.cell[at.ANCHOR] > 0.0:
        sell_at = sell_level(work.cell[at.ANCHOR], work.parameters[at.TRIGGER_UP])
        buy_at = buy_level(work.cell[at.ANCHOR], work.parameters[at.TRIGGER_DOWN])
        if opening >= sell_at:
            try_level(work, record, bar, sell_at, -1, opening)
        elif opening <= buy_at:
            try_level(work, record, bar, buy_at, 1, opening)
    second = market.low[bar] if low_first else market.high[bar]
    third = market.high[bar] if low_first else market.low[bar]
    walk_leg(work, record, bar, opening, second)
    walk_leg(work, record, bar, second, third)
    walk_leg(work, record, bar, third, market.close[bar])


@compiled
def rebalance_at_close(work: Workspace, record: Record, market: Market, bar: int) -> None:
    """Ask the rule once at the close without a signal and fill what it orders there."""
    price = market.close[bar]
    action, reason, _, _, quantity = decide_row(price, work.cell, work.parameters, 0)
    if action in (codes.BUY, codes.SELL) and fill_order(work, record, bar, quantity, price, reason):
        work.cell[at.ORDERS] += 1.0
