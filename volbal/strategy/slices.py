"""Orders worked in slices (strategy 14): how large each is and when, and what the rule is asked before it.

A schedule is a small protocol: how many slices, how large the next is, and when the one after is due. `EvenSlices` is
the one there is; live trading takes it from `schedule_of`, and the compiled simulation calls the same functions.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from volbal.strategy import indices as at
from volbal.strategy.compile import compiled
from volbal.strategy.numeric import FloatArray, micro, round_down
from volbal.strategy.parameters import StrategyParameters, parameter_row


@compiled
def is_sliced(quantity: float, price: float, slice_notional: float) -> bool:
    """Tell whether an order of so many shares is worked in slices; a `slice_notional` of 0 is off."""
    return slice_notional > 0.0 and quantity * price > slice_notional


@compiled
def slice_count(quantity: float, price: float, slice_notional: float, step: float) -> float:
    """Return the fewest equal slices of at most `slice_notional` each, none of them below one step."""
    wanted = math.ceil(quantity * price / slice_notional)
    return max(min(wanted, whole_steps(quantity, step)), 1.0)


@compiled
def whole_steps(quantity: float, step: float) -> float:
    """Return the whole steps in a quantity."""
    return math.floor(round_down(quantity, step) / step + 0.5)


@compiled
def slice_size(quantity: float, count: float, step: float) -> float:
    """Return the size of each slice but the last, rounded down to whole steps."""
    return round_down(quantity / count, step)


@compiled
def next_slice(size: float, left: float, remaining: float) -> float:
    """Return the shares of the next slice: its size, or with one left to submit all that remains."""
    return remaining if left <= 1.0 else min(size, remaining)


@compiled
def ask_about_slice(
    cell: FloatArray, parameters: FloatArray, signed_filled: float, asked_cell: FloatArray, asked_parameters: FloatArray
) -> None:
    """Write what the rule is asked with before a slice: the cell as it is, its own order left out of account.

    The order's count and minimums were judged when it was decided, and what it has filled is no reason to sell or buy
    less of it; guardrails, cash, shares and signal are those of the moment.
    """
    for column in range(at.CELL_COUNT):
        asked_cell[column] = cell[column]
    for column in range(at.PARAMETER_COUNT):
        asked_parameters[column] = parameters[column]
    asked_cell[at.ORDERS] = 0.0
    asked_parameters[at.MIN_NOTIONAL] = 0.0
    asked_parameters[at.MIN_QUANTITY] = 0.0
    own = at.BOUGHT if signed_filled > 0.0 else at.SOLD
    asked_cell[own] = max(micro(cell[own] - abs(signed_filled)), 0.0)


class SliceSchedule(Protocol):
    """How an order is worked: all quantities in shares, times in seconds."""

    @property
    def count(self) -> int:
        """Return how many slices there are."""

    def next_quantity(self, submitted: int, remaining: float) -> float:
        """Return the next slice after so many submitted, of what remains; at most that."""

    def seconds_to_next(self, submitted: int) -> int:
        """Return how long after the last slice, of so many submitted, the next is due."""


@dataclass(frozen=True, slots=True)
class EvenSlices:
    """Work an order in equal slices, one each interval, the last taking the rest (TWAP)."""

    count: int
    size: float
    interval_seconds: int

    def next_quantity(self, submitted: int, remaining: float) -> float:
        """Return the size, or all that remains where it is the last."""
        return float(next_slice(self.size, float(self.count - submitted), remaining))

    def seconds_to_next(self, submitted: int) -> int:
        """Return the interval, which is always the same."""
        return self.interval_seconds


def schedule_of(quantity: float, price: float, parameters: StrategyParameters) -> EvenSlices | None:
    """Return how an order of `quantity` > 0 shares at a price is worked, None where it goes out whole."""
    return slices_of(quantity, price, parameter_row(parameters))


def slices_of(quantity: float, price: float, parameters: FloatArray) -> EvenSlices | None:
    """Return what `schedule_of` does, from the parameters' row."""
    notional, step = parameters[at.SLICE_NOTIONAL], parameters[at.QUANTITY_STEP]
    if not is_sliced(quantity, price, notional):
        return None
    count = slice_count(quantity, price, notional, step)
    if count <= 1.0:
        return None
    return EvenSlices(int(count), float(slice_size(quantity, count, step)), int(parameters[at.SLICE_INTERVAL_SECONDS]))
