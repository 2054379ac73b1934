"""How a cell trades: by watching its price, or with orders that rest at its triggers (strategy 12)."""

from __future__ import annotations

from portfolios.models import Cell
from portfolios.services.changes import changing
from portfolios.services.checks import require_not_archived
from portfolios.services.origin import Origin
from portfolios.services.parameters import require_execution, stored_rule
from volbal.common.errors import Refused


def require_known_execution(execution: str) -> None:
    """Raise Refused naming what is no way to trade, and those there are."""
    if execution not in Cell.Execution.values:
        raise Refused(
            f"execution is {execution!r}; expected one of {', '.join(Cell.Execution.values)}.", code="execution"
        )


def cell_set_execution(*, cell: Cell, execution: str, origin: Origin, expected_version: int | None = None) -> Cell:
    """Let a cell watch its price, or rest orders at its triggers; what rests is cancelled once it watches again.

    Raises Refused for any other execution, for an archived cell, and for one that works large orders in slices and
    is to rest them.
    """
    require_known_execution(execution)
    with changing(cell, kind="cell.execution_set", origin=origin, expected_version=expected_version) as change:
        require_not_archived(change.row)
        if change.row.parameters is not None:
            require_execution(execution, stored_rule(change.row.parameters))
        change.row.execution = execution
    return cell
