"""A cell between its stored row and the position that the rule books on."""

from __future__ import annotations

import datetime as dt

from portfolios.models import Cell
from volbal.common import numbers
from volbal.strategy.fills import Position


def position_of(cell: Cell) -> Position:
    """Return a cell's row as float64. Negative cash or shares, booked from a broker's report, are kept."""
    return Position(
        cash=float(cell.cash),
        shares=float(cell.shares),
        receivable=float(cell.receivable),
        anchor=numbers.to_float(cell.anchor),
        average_cost=float(cell.average_cost),
        bought_since_anchor=float(cell.bought_since_anchor),
        sold_since_anchor=float(cell.sold_since_anchor),
    )


def position_write(cell: Cell, position: Position, as_of: dt.datetime) -> None:
    """Put into a row under change what of a position is no running total of the ledger.

    That is the average cost, the anchor and what was filled towards it. Cash, shares and receivable move with their
    ledger entries alone.
    """
    anchor = None if position.anchor is None else numbers.price(position.anchor)
    if anchor != cell.anchor:
        cell.anchor, cell.anchor_set_at = anchor, as_of
    cell.average_cost = numbers.cost(position.average_cost)
    cell.bought_since_anchor = numbers.shares(position.bought_since_anchor)
    cell.sold_since_anchor = numbers.shares(position.sold_since_anchor)
