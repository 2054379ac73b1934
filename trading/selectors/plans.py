"""Orders worked in slices, as the cell's page shows them."""

from __future__ import annotations

from decimal import Decimal

from portfolios.models import Cell
from portfolios.selectors import cell_state, rules_of
from trading.models import OrderPlan
from trading.selectors.cells import present_day, present_price
from trading.services.order_plans import schedule_kept
from trading.services.triggers import triggers_in_force
from volbal.strategy import CellError, decide_slice
from volbal.strategy.sentences import price_text, quantity_text


def plan_view(cell: Cell) -> OrderPlan | None:
    """Return the order that a cell works in slices at present, in one query."""
    return OrderPlan.objects.filter(cell=cell, status=OrderPlan.Status.WORKING).first()


def slice_outlook(cell: Cell, plan: OrderPlan) -> str:
    """Say what the next slice of an order would do at the price there is now; nothing without one."""
    price, day = present_price(cell), present_day(cell)
    if price is None or plan.is_last:
        return ""
    (rule,) = triggers_in_force([cell], {cell.pk: day}, rules_of([cell], {cell.pk: price}))
    most = schedule_kept(plan).next_quantity(plan.submitted, float(plan.quantity - plan.filled_quantity))
    try:
        state = cell_state(cell, day)
    except CellError:
        return ""
    filled = float(plan.filled_quantity)
    answer = decide_slice(float(price), state, rule, side=plan.side, filled=filled, most=most)
    if answer.action != plan.side:
        return f"At {_shown(price)} the order would end. {answer.sentence}"
    verb = "buy" if plan.side == "BUY" else "sell"
    return f"At {_shown(price)} it would {verb} {quantity_text(abs(answer.quantity))}."


def _shown(price: Decimal) -> str:
    return price_text(float(price))
