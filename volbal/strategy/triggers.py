"""The next prices at which a cell acts, found by asking the rule (strategy 3 and 5)."""

import itertools
from dataclasses import dataclass

import numpy as np

from volbal.strategy import codes
from volbal.strategy import indices as at
from volbal.strategy.cell import CellState, cell_row
from volbal.strategy.codes import ACTIONS, Action, Reason
from volbal.strategy.compile import compiled
from volbal.strategy.decision import decide
from volbal.strategy.numeric import FloatArray
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.rule import buy_threshold, decide_row, sell_threshold, stop_threshold

PRICE_GRID = 1_000_000.0  # prices live on a grid of 1e-6 (strategy 7)
SCAN_STEP = 0.001  # of the price: between two candidates the rule is asked this often
REACH = 16.0  # the search ends at this multiple, or part, of the last candidate


@dataclass(frozen=True, slots=True)
class NextTrigger:
    """Hold a price and what would be ordered there: `quantity` > 0 in shares, `reason` the rule's."""

    price: float
    quantity: float
    reason: str


@dataclass(frozen=True, slots=True)
class NextTriggers:
    """Hold the next buy and the next sell; None where no price within `REACH` makes the rule act.

    `stop` is where the protective stop sells everything (strategy 14), None without one or without shares.
    """

    buy: NextTrigger | None
    sell: NextTrigger | None
    stop: NextTrigger | None = None


def next_triggers(cell: CellState, parameters: StrategyParameters, *, price: float | None = None) -> NextTriggers:
    """Return the first price down at which the cell buys and the first up at which it sells.

    The search starts at `price` (the current one), else at the anchor. The rule is asked there, at the trigger,
    where the stock share leaves its guardrail, and from each of these on in steps of `SCAN_STEP`, as an order
    too small at its trigger grows with the move; only what acts within less than such a step is not seen.
    """
    stop = stop_trigger(cell, parameters)
    if cell.anchor is None or cell.orders_today >= parameters.max_orders_per_day:
        return NextTriggers(None, None, stop)
    start = cell.anchor if price is None else price
    row = parameter_row(parameters)
    low = float(buy_threshold(cell.anchor, row[at.TRIGGER_DOWN]))
    high = float(sell_threshold(cell.anchor, row[at.TRIGGER_UP]))
    floor = _price_at_share(cell, parameters.min_stock - parameters.guardrail_tolerance)
    ceiling = _price_at_share(cell, parameters.max_stock + parameters.guardrail_tolerance)
    below = [_grid_down(low), *([] if floor is None else [_grid_down(floor)])]
    above = [_grid_up(high), *([] if ceiling is None else [_grid_up(ceiling)])]
    down = sorted((p for p in below if 0.0 < p < start), reverse=True)
    up = sorted(p for p in above if p > start)
    return NextTriggers(
        _first(Action.BUY, [start, *down, [start, *down][-1] / REACH], cell, parameters),
        _first(Action.SELL, [start, *up, [start, *up][-1] * REACH], cell, parameters),
        stop,
    )


def stop_trigger(cell: CellState, parameters: StrategyParameters) -> NextTrigger | None:
    """Return the highest price of the grid at which the protective stop strikes."""
    if parameters.stop_loss is None or cell.shares <= 0.0:
        return None
    price = _grid_down(float(stop_threshold(cell.average_cost, parameters.stop_loss)))
    return NextTrigger(price, cell.shares, str(Reason.STOP_LOSS)) if price > 0.0 else None


def _first(action: Action, stops: list[float], cell: CellState, parameters: StrategyParameters) -> NextTrigger | None:
    """Return the first price at which the rule takes an action, on the way from stop to stop."""
    numbers, row, wanted = cell_row(cell), parameter_row(parameters), ACTIONS.index(action)
    for begin, end in itertools.pairwise(stops):
        price = float(first_acting(begin, end, wanted, numbers, row))
        if price > 0.0:
            decision = decide(price, cell, parameters)
            return NextTrigger(price, abs(decision.quantity), str(decision.reason))
    return None


@compiled
def acts(price: float, wanted: int, cell: FloatArray, parameters: FloatArray) -> bool:
    """Tell whether the rule takes an action at a price."""
    return decide_row(price, cell, parameters, codes.ASK_SIGNAL)[0] == wanted


@compiled
def first_acting(begin: float, end: float, wanted: int, cell: FloatArray, parameters: FloatArray) -> float:
    """Return the first price from `begin` to `end` at which the rule takes an action, 0 where there is none.

    `begin` is asked as it is, the others on the grid of prices: in steps first, then halving the last step.
    """
    if acts(begin, wanted, cell, parameters):
        return begin
    side = 1.0 if end > begin else -1.0
    reached, last = np.rint(begin * PRICE_GRID), np.rint(end * PRICE_GRID)
    while side * (last - reached) > 0.0:
        beyond = reached + side * max(np.floor(reached * SCAN_STEP), 1.0)
        beyond = min(beyond, last) if side > 0.0 else max(beyond, last)
        if beyond > 0.0 and acts(beyond / PRICE_GRID, wanted, cell, parameters):
            while abs(beyond - reached) > 1.0:
                middle = np.floor((beyond + reached) / 2.0)
                if acts(middle / PRICE_GRID, wanted, cell, parameters):
                    beyond = middle
                else:
                    reached = middle
            found: float = beyond / PRICE_GRID
            return found
        reached = beyond
    return 0.0


def _price_at_share(cell: CellState, share: float) -> float | None:
    """Return the price at which stock makes up `share` of the value, None where no price does."""
    money = cell.cash + cell.receivable
    if not 0.0 < share < 1.0 or cell.shares <= 0.0 or money <= 0.0:
        return None
    return share * money / (cell.shares * (1.0 - share))


def _grid_down(price: float) -> float:
    """Return the highest price of the grid that is at or below."""
    nearest = round(price * PRICE_GRID) / PRICE_GRID
    return nearest if nearest <= price else round(price * PRICE_GRID - 1.0) / PRICE_GRID


def _grid_up(price: float) -> float:
    """Return the lowest price of the grid that is at or above."""
    nearest = round(price * PRICE_GRID) / PRICE_GRID
    return nearest if nearest >= price else round(price * PRICE_GRID + 1.0) / PRICE_GRID
