"""The next prices at which a cell acts, found by asking the rule (strategy 3 and 5)."""

from collections.abc import Iterator
from dataclasses import dataclass

from volbal.strategy import indices as at
from volbal.strategy.cell import CellState
from volbal.strategy.codes import Action
from volbal.strategy.decision import decide
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.rule import buy_threshold, sell_threshold

PRICE_GRID = 1_000_000  # prices live on a grid of 1e-6 (strategy 7)


@dataclass(frozen=True, slots=True)
class NextTrigger:
    """Hold a price and what would be ordered there: `quantity` > 0 in shares, `reason` the rule's."""

    price: float
    quantity: float
    reason: str


@dataclass(frozen=True, slots=True)
class NextTriggers:
    """Hold the next buy and the next sell; None where the rule would not act at any candidate price."""

    buy: NextTrigger | None
    sell: NextTrigger | None


def next_triggers(cell: CellState, parameters: StrategyParameters, *, price: float | None = None) -> NextTriggers:
    """Return the first price down at which the cell buys and the first up at which it sells.

    The candidates are `price` itself (the current one, where given), the trigger and the price at which the
    stock share leaves its guardrail; the rule is asked at each, nearest first.
    """
    if cell.anchor is None:
        return NextTriggers(None, None)
    start = cell.anchor if price is None else price
    row = parameter_row(parameters)
    low = float(buy_threshold(cell.anchor, row[at.TRIGGER_DOWN]))
    high = float(sell_threshold(cell.anchor, row[at.TRIGGER_UP]))
    floor = _price_at_share(cell, parameters.min_stock - parameters.guardrail_tolerance)
    ceiling = _price_at_share(cell, parameters.max_stock + parameters.guardrail_tolerance)
    below = [_grid_down(low), *([] if floor is None else [_grid_down(floor)])]
    above = [_grid_up(high), *([] if ceiling is None else [_grid_up(ceiling)])]
    now = [] if price is None else [price]
    return NextTriggers(
        _first(Action.BUY, [*now, *sorted((p for p in below if p <= start), reverse=True)], cell, parameters),
        _first(Action.SELL, [*now, *sorted(p for p in above if p >= start)], cell, parameters),
    )


def _first(
    action: Action, candidates: list[float], cell: CellState, parameters: StrategyParameters
) -> NextTrigger | None:
    return next(_acting(action, candidates, cell, parameters), None)


def _acting(
    action: Action, candidates: list[float], cell: CellState, parameters: StrategyParameters
) -> Iterator[NextTrigger]:
    for price in candidates:
        if price > 0.0:
            decision = decide(price, cell, parameters)
            if decision.action is action:
                yield NextTrigger(price, abs(decision.quantity), str(decision.reason))


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
