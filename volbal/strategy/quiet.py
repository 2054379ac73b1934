"""Pass over the bars at which nothing can happen, exactly (strategy 3, 5 and 11).

Between two events a cell's shares and money stand still, so that its value is linear in the price: sums come
from running sums, and whole blocks of bars are judged by their highest and lowest price.
"""

import math

from volbal.strategy import indices as at
from volbal.strategy import workspace as ws
from volbal.strategy.compile import compiled, inlined
from volbal.strategy.market import BLOCK, Market
from volbal.strategy.numeric import FloatArray
from volbal.strategy.resting import buy_level, sell_level
from volbal.strategy.rule import buy_threshold, sell_threshold, stop_threshold
from volbal.strategy.workspace import Workspace

SAFETY = 1e-9  # keeps a band narrower than the rule's own; at worst the rule is asked once too often
SHARE_TOLERANCE = 1e-6  # of time_in_guardrails (strategy 11)


@compiled
def quiet_band(cell: FloatArray, parameters: FloatArray, resting: bool) -> tuple[float, float]:
    """Return two prices strictly between which the rule surely holds; none where the first is the higher."""
    stop_loss = parameters[at.STOP_LOSS]
    stop = stop_threshold(cell[at.COST], stop_loss) if stop_loss > 0.0 and cell[at.SHARES] > 0.0 else -math.inf
    if cell[at.ANCHOR] <= 0.0:
        return stop, math.inf
    if resting:
        low = buy_level(cell[at.ANCHOR], parameters[at.TRIGGER_DOWN])
        high = sell_level(cell[at.ANCHOR], parameters[at.TRIGGER_UP])
    else:
        low = buy_threshold(cell[at.ANCHOR], parameters[at.TRIGGER_DOWN])
        high = sell_threshold(cell[at.ANCHOR], parameters[at.TRIGGER_UP])
    low = max(low, stop)
    if parameters[at.AUTO_REBALANCE] == 0.0:
        return low, high
    floor = parameters[at.MIN_STOCK] - parameters[at.GUARDRAIL_TOLERANCE]
    ceiling = parameters[at.MAX_STOCK] + parameters[at.GUARDRAIL_TOLERANCE]
    stock_low, stock_high = share_band(cell, floor, ceiling)
    return max(low, stock_low * (1.0 + SAFETY)), min(high, stock_high * (1.0 - SAFETY))


@compiled
def share_band(cell: FloatArray, floor: float, ceiling: float) -> tuple[float, float]:
    """Return the lowest and highest price at which the stock share lies within floor and ceiling.

    The first is above the second where no price does. Money below 0 (a minimum commission that took more than
    a sale brought) makes the share fall toward 1 as the price rises.
    """
    shares, money = cell[at.SHARES], cell[at.CASH] + cell[at.RECEIVABLE]
    if shares <= 0.0:
        inside = floor <= 0.0 and money > 0.0
        return (0.0, math.inf) if inside else (math.inf, -math.inf)
    if money <= 0.0:
        if ceiling < 1.0 or (ceiling == 1.0 and money < 0.0):
            return math.inf, -math.inf
        if money == 0.0:
            return 0.0, math.inf
        return ceiling * -money / (shares * (ceiling - 1.0)), math.inf
    lowest = floor * money / (shares * (1.0 - floor)) if floor > 0.0 else 0.0
    highest = ceiling * money / (shares * (1.0 - ceiling)) if ceiling < 1.0 else math.inf
    return lowest, highest


@inlined
def pass_over(work: Workspace, market: Market, low: float, high: float, start: int, stop: int) -> int:
    """Mark the bar `start` and all after it that stay strictly within a band; return the first that does not.

    Through these bars shares and money stand still. Whole blocks are passed over by their extremes where
    none of their bars leaves the band, where the drawdown cannot deepen within them, and where all of
    them or none are within the guardrails.
    """
    cell, tally = work.cell, work.tally
    shares, cash, receivable = cell[at.SHARES], cell[at.CASH], cell[at.RECEIVABLE]
    floor = work.parameters[at.MIN_STOCK] - SHARE_TOLERANCE
    ceiling = work.parameters[at.MAX_STOCK] + SHARE_TOLERANCE
    inside_low, inside_high = share_band(cell, floor, ceiling)
    peak, deepest = tally[ws.PEAK], tally[ws.DRAWDOWN]
    inside = 0
    bar = start
    while bar < stop:
        if bar % BLOCK == 0 and bar > start and bar + BLOCK <= stop:
            block = bar // BLOCK
            highest, lowest = market.block_close_high[block], market.block_close_low[block]
            top = max(peak, shares * highest + cash + receivable)
            within = lowest >= inside_low and highest <= inside_high
            without = lowest > inside_high or highest < inside_low
            quiet = market.block_reach_low[block] > low and market.block_reach_high[block] < high
            shallow = shares * lowest + cash + receivable >= top * (1.0 + deepest)
            if quiet and shallow and (within or without):
                peak = top
                inside += BLOCK if within else 0
                bar += BLOCK
                continue
        end = min(bar - bar % BLOCK + BLOCK, stop)
        shallowest = 1.0 + deepest
        while bar < end:
            if (market.reach_low[bar] <= low or market.reach_high[bar] >= high) and bar > start:
                stop = bar
                break
            close = market.close[bar]
            value = shares * close + cash + receivable
            peak = max(peak, value)
            inside += 1 if inside_low <= close <= inside_high else 0
            bar += 1
            if value < peak * shallowest:  # leaving the loop keeps its rare division out of every turn
                deepest = value / peak - 1.0 if peak > 0.0 else deepest
                break
    tally[ws.PEAK], tally[ws.DRAWDOWN] = peak, deepest
    tally[ws.INSIDE] += inside
    mark_days(work, market, start, stop)
    return stop


@inlined
def mark_days(work: Workspace, market: Market, start: int, stop: int) -> None:
    """Add up the values of a range of bars and note those that end a day (strategy 10.4 and 11)."""
    cell = work.cell
    shares, cash, receivable = cell[at.SHARES], cell[at.CASH], cell[at.RECEIVABLE]
    closes = market.close_sum[stop] - market.close_sum[start]
    work.tally[ws.VALUE_SUM] += shares * closes + (stop - start) * (cash + receivable)
    last_day = market.day[stop] if stop < market.day.shape[0] else market.day_close.shape[0]
    for day in range(market.day[start], last_day):
        work.day_values[day] = shares * market.day_close[day] + cash + receivable
