"""The anchor: set by hand, or moved by an order that ended (strategy 7)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from portfolios.models import Cell
from portfolios.services.amounts import price_amount
from portfolios.services.changes import changing
from portfolios.services.checks import require_not_archived
from portfolios.services.origin import Origin
from volbal.common.clock import require_aware
from volbal.common.numbers import ZERO


def cell_set_anchor(
    *, cell: Cell, anchor: Decimal, as_of: dt.datetime, origin: Origin, expected_version: int | None = None
) -> Cell:
    """Set the anchor by hand: a price above 0. Raises Refused naming the value and the bound."""
    price, moment = price_amount("anchor", anchor), require_aware(as_of, "as_of")
    with changing(
        cell, kind="cell.anchor_set", origin=origin, as_of=moment, expected_version=expected_version
    ) as change:
        require_not_archived(change.row)
        _place(change.row, price, moment)
    return cell


def _place(cell: Cell, anchor: Decimal, moment: dt.datetime) -> None:
    cell.anchor, cell.anchor_set_at = anchor, moment
    cell.bought_since_anchor = cell.sold_since_anchor = ZERO
