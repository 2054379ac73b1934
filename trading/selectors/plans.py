"""Orders worked in slices, as the cell's page shows them."""

from __future__ import annotations

from portfolios.models import Cell
from trading.models import OrderPlan


def plan_view(cell: Cell) -> OrderPlan | None:
    """Return the order that a cell works in slices at present, in one query."""
    return OrderPlan.objects.filter(cell=cell, status=OrderPlan.Status.WORKING).first()
