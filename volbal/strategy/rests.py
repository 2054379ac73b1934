"""What rests at the two triggers of many cells: the levels and sizes that the backtest walks by (strategy 12)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from volbal.strategy import codes
from volbal.strategy import indices as at
from volbal.strategy.cell import CellState, cell_row, checked_number
from volbal.strategy.codes import REASONS, Action, Reason
from volbal.strategy.compile import compiled
from volbal.strategy.decision import Decision, describe_row
from volbal.strategy.errors import CellError
from volbal.strategy.numeric import FloatArray, IntArray
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.resting import buy_level, resting_order, sell_level
from volbal.strategy.rule import decide_row
from volbal.strategy.sentences import rests_sentence
from volbal.strategy.triggers import NextTrigger, NextTriggers, stop_trigger

SIDES = (Action.SELL, Action.BUY)
SIGNALS = (-1, 1)


@compiled
def _levels(cells: FloatArray, parameters: FloatArray, levels: FloatArray) -> None:
    for index in range(cells.shape[0]):
        anchor = cells[index, at.ANCHOR]
        if anchor > 0.0:
            levels[index, 0] = sell_level(anchor, parameters[index, at.TRIGGER_UP])
            levels[index, 1] = buy_level(anchor, parameters[index, at.TRIGGER_DOWN])


@compiled
def _sizes(
    cells: FloatArray, parameters: FloatArray, levels: FloatArray, quantities: FloatArray, reasons: IntArray
) -> None:
    for index in range(cells.shape[0]):
        for place in range(2):
            level, side = levels[index, place], -1 if place == 0 else 1
            if level > 0.0:
                quantities[index, place], reasons[index, place] = resting_order(
                    cells[index, place], parameters[index, place], level, side
                )


def resting_levels(cells: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return the limits of what may rest, shape (cells, 2): the sell's, then the buy's; 0 where there is none.

    `cells` has shape (cells, CELL_COUNT) and `parameters` (cells, PARAMETER_COUNT).
    """
    levels = np.zeros((len(cells), 2))
    if len(cells):
        _levels(cells, parameters, levels)
    return levels


@dataclass(frozen=True, slots=True)
class Rest:
    """What the rule wants to rest at one trigger of a cell.

    `price` is the limit, in whole cents, 0 where there is no level; `quantity` > 0 shares, or 0 where no order rests.
    `decision` is the rule's answer at that price with the side's signal given; None without a level.
    """

    side: Action
    price: float
    quantity: float
    reason: Reason
    decision: Decision | None

    @property
    def is_order(self) -> bool:
        """Whether an order rests."""
        return self.quantity > 0.0

    def withheld(self, reason: Reason) -> "Rest":
        """Return the same with its order kept back by the caller."""
        return replace(self, quantity=0.0, reason=reason)


@dataclass(frozen=True, slots=True)
class RestColumns:
    """Hold what rests for many cells: arrays of shape (cells, 2), the sell first, with the rows the rule read."""

    cells: FloatArray
    parameters: FloatArray
    levels: FloatArray
    quantities: FloatArray
    reasons: IntArray

    def rest(self, index: int, place: int) -> Rest:
        """Return what rests at one trigger of a cell; `place` is 0 for its sell and 1 for its buy."""
        price, signed = float(self.levels[index, place]), float(self.quantities[index, place])
        if price <= 0.0:
            return Rest(SIDES[place], 0.0, 0.0, Reason.NO_ANCHOR, None)
        cell, parameters = self.cells[index, place], self.parameters[index, place]
        told = describe_row(price, cell, parameters, decide_row(price, cell, parameters, SIGNALS[place]))
        return Rest(SIDES[place], price, abs(signed), REASONS[int(self.reasons[index, place])], told)


def rests_many(cells: FloatArray, parameters: FloatArray, levels: FloatArray) -> RestColumns:
    """Size what rests at `levels` (see `resting_levels`) with the backtest's own compiled code (strategy 12).

    `cells` has shape (cells, 2, CELL_COUNT) and `parameters` (cells, 2, PARAMETER_COUNT): what the sell is asked with,
    then what the buy is. Raises CellError on lengths that differ.
    """
    if not len(cells) == len(parameters) == len(levels):
        raise CellError("lengths", (len(cells), len(parameters), len(levels)), "as many rows of each")
    quantities, reasons = np.zeros(levels.shape), np.zeros(levels.shape, dtype=np.int64)
    if len(cells):
        _sizes(cells, parameters, levels, quantities, reasons)
    return RestColumns(cells, parameters, levels, quantities, reasons)


def rest_decision(
    price: float,
    cell: FloatArray,
    parameters: FloatArray,
    *,
    rests: Sequence[Rest] = (),
    reason: Reason | None = None,
    sentence: str = "",
) -> Decision:
    """Return the HOLD of a cell whose orders rest, saying what does (strategy 12).

    `reason` and `sentence` stand in for the rule's own where something keeps orders from resting. Raises CellError on
    a price that is not above 0.
    """
    checked_number("price", price, above=0.0)
    own = codes.INSIDE_BAND if cell[at.ANCHOR] > 0.0 else codes.NO_ANCHOR
    code = own if reason is None else REASONS.index(reason)
    told = describe_row(price, cell, parameters, (codes.HOLD, code, 0, 0.0, 0.0))
    if sentence or rests:
        return replace(told, sentence=sentence or rests_sentence(rests))
    return told


def resting_triggers(cell: CellState, parameters: StrategyParameters) -> NextTriggers:
    """Return the two orders that rest for a cell, and where its protective stop sells; None where nothing does."""
    row, numbers = cell_row(cell), parameter_row(parameters)
    levels = resting_levels(row[np.newaxis], numbers[np.newaxis])
    columns = rests_many(np.stack([[row, row]]), np.stack([[numbers, numbers]]), levels)
    sell, buy = (_trigger(columns.rest(0, place)) for place in range(2))
    return NextTriggers(buy, sell, stop_trigger(cell, parameters))


def _trigger(rest: Rest) -> NextTrigger | None:
    return NextTrigger(rest.price, rest.quantity, str(rest.reason)) if rest.is_order else None
