"""A position cell's state (strategy 1)."""

import math
from dataclasses import dataclass, fields
from numbers import Real

import numpy as np

from volbal.strategy import indices as at
from volbal.strategy.errors import CellError
from volbal.strategy.numeric import FloatArray


def checked_number(name: str, value: object, *, above: float | None = None, least: float | None = None) -> float:
    """Return a finite number within its bound as a float, or raise `CellError` naming it."""
    words = "a finite number"
    if above is not None:
        words += f" above {above:g}"
    if least is not None:
        words += f" of at least {least:g}"
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(float(value)):
        raise CellError(name, value, words)
    number = float(value)
    if (above is not None and number <= above) or (least is not None and number < least):
        raise CellError(name, value, words)
    return number


@dataclass(frozen=True, slots=True)
class CellState:
    """Hold what the rule knows of a cell (strategy 1).

    `cash` and `receivable` are currency, `shares` shares, `anchor` a price above 0 or None while unset;
    all others are ≥ 0. `orders_today` counts orders submitted in this trading day. `bought_since_anchor` and
    `sold_since_anchor` are shares filled since the anchor was set, by orders that left it where it
    was (strategy 7), split-adjusted. `average_cost` is currency a share (strategy 11), which only the protective
    stop reads (strategy 14). Raises `CellError`.
    """

    cash: float
    shares: float
    anchor: float | None
    receivable: float = 0.0
    orders_today: int = 0
    bought_since_anchor: float = 0.0
    sold_since_anchor: float = 0.0
    average_cost: float = 0.0

    def __post_init__(self) -> None:
        """Check every bound."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "anchor":
                object.__setattr__(
                    self, "anchor", None if value is None else checked_number("anchor", value, above=0.0)
                )
            else:
                object.__setattr__(self, field.name, checked_number(field.name, value, least=0.0))
        if not float(self.orders_today).is_integer():
            raise CellError("orders_today", self.orders_today, "a whole number")
        object.__setattr__(self, "orders_today", int(self.orders_today))


def cell_row(cell: CellState) -> FloatArray:
    """Return the cell as the row of numbers that compiled code reads, by `indices`; anchor 0 is unset."""
    row = np.zeros(at.CELL_COUNT)
    row[at.CASH] = cell.cash
    row[at.SHARES] = cell.shares
    row[at.RECEIVABLE] = cell.receivable
    row[at.ANCHOR] = 0.0 if cell.anchor is None else cell.anchor
    row[at.ORDERS] = cell.orders_today
    row[at.BOUGHT] = cell.bought_since_anchor
    row[at.SOLD] = cell.sold_since_anchor
    row[at.COST] = cell.average_cost
    return row
