"""Limits that a cell sets itself, beside its parameters."""

from __future__ import annotations

from decimal import Decimal

from portfolios.models import Cell
from portfolios.services.changes import changing
from portfolios.services.checks import require_not_archived
from portfolios.services.origin import Origin
from volbal.common.errors import Refused

WIDEST_BPS = Decimal(10_000)


def cell_set_max_spread(
    *, cell: Cell, max_spread_bps: Decimal | None, origin: Origin, expected_version: int | None = None
) -> Cell:
    """Let a cell trade up to this spread only, in hundredths of a percent of the mid; None takes the limit away.

    Raises Refused naming the value and the bound.
    """
    if max_spread_bps is not None and not (max_spread_bps.is_finite() and 0 < max_spread_bps <= WIDEST_BPS):
        raise Refused(
            f"max_spread_bps is {max_spread_bps}; expected above 0 and at most {WIDEST_BPS:,}.", code="out_of_bounds"
        )
    with changing(cell, kind="cell.spread_limited", origin=origin, expected_version=expected_version) as change:
        require_not_archived(change.row)
        exact = None if max_spread_bps is None else max_spread_bps.quantize(Decimal("0.01"))
        change.row.max_spread_bps = exact
    return cell
