"""Orders worked in slices: begun, filled, ended; the anchor waits for their end (strategy 7 and 14)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.db.models import F

from portfolios.models import Cell, Portfolio
from portfolios.services.changes import changing
from portfolios.services.checks import require_reason
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.models import Order, OrderPlan
from trading.services.positions import position_of, position_write
from volbal.common.errors import Refused
from volbal.strategy.fills import OrderFilled, Position, end_order
from volbal.strategy.slices import EvenSlices

ORIGIN = Origin(task="slices")
CLOSE = "the close of its day"


def schedule_kept(plan: OrderPlan) -> EvenSlices:
    """Return how an order is worked, as it was decided."""
    return EvenSlices(plan.slice_count, float(plan.slice_quantity), plan.interval_seconds)


def plans_look(cells: Sequence[Cell], days: Mapping[int, dt.date], as_of: dt.datetime) -> dict[int, OrderPlan]:
    """Return the orders that these cells, held locked, work in slices, by cell id, in one query.

    Before anything of this moment happens, those whose day is over end, and those of cells that no longer trade.
    """
    held = {cell.pk: cell for cell in cells}
    working = {}
    for plan in OrderPlan.objects.filter(cell__among=held, status=OrderPlan.Status.WORKING):
        cell = held[plan.cell_id]
        if days[cell.pk] != plan.day:
            plan_end(plan=plan, cell=cell, because=CLOSE, as_of=plan.next_at)
        elif cell.status != Cell.Status.ACTIVE:
            plan_end(plan=plan, cell=cell, because=f"the cell is {cell.status}", as_of=as_of)
        else:
            working[cell.pk] = plan
    return working


def plan_end(*, plan: OrderPlan, cell: Cell, because: str, as_of: dt.datetime, origin: Origin = ORIGIN) -> bool:
    """End an order that is worked in slices: no more of them come, and the anchor moves where half of it is filled.

    `cell` carries the new anchor afterwards. Return whether it was at work; one that has ended stays as it is.
    """
    with changing(cell, kind="cell.slices_ended", origin=origin, as_of=as_of) as change:
        held = OrderPlan.objects.select_for_update(no_key=True).get(pk=plan.pk)
        if not held.is_working:
            return False
        position = _ended(held, position_of(change.row), because, as_of)
        position_write(change.row, position, as_of)
        change.details |= {"order_plan": held.pk, "because": because, "filled": held.filled_quantity}
    return True


def plans_finish(*, portfolio: Portfolio) -> None:
    """End the orders of a replay that has reached its end, as the close of its last day does."""
    working = OrderPlan.objects.filter(cell__portfolio=portfolio, status=OrderPlan.Status.WORKING)
    for plan in working.select_related("cell__instrument", "cell__portfolio"):
        if not Order.objects.filter(plan=plan).exclude(status__in=Order.ENDED).exists():
            plan_end(plan=plan, cell=plan.cell, because=CLOSE, as_of=plan.next_at)


def plan_cancel(*, plan: OrderPlan, as_of: dt.datetime, origin: Origin) -> None:
    """End an order worked in slices because a person says so, with a reason; a slice at the broker stays there.

    Raises Refused where it has ended.
    """
    require_reason(origin, "Cancelling an order")
    # The cell is locked before its order, as wherever something is booked on it.
    if not plan_end(plan=plan, cell=plan.cell, because=f"cancelled: {origin.reason}", as_of=as_of, origin=origin):
        plan.refresh_from_db()
        raise Refused(f"This order has ended: {plan.ended_because}.", code="plan_ended")


def slice_filled(*, plan: OrderPlan, quantity: Decimal, price: Decimal) -> None:
    """Add a fill of a slice to its order, whose cell the caller holds locked."""
    plan = OrderPlan.objects.select_for_update(no_key=True).get(pk=plan.pk)
    plan.filled_quantity += quantity
    plan.filled_value += quantity * price
    plan.save(update_fields=["filled_quantity", "filled_value"])


def slice_return(*, order: Order, plan: OrderPlan) -> None:
    """Take the last slice of an order at work back, which was never sent: its number is due again, and decided anew."""
    working = OrderPlan.objects.filter(pk=plan.pk, status=OrderPlan.Status.WORKING, submitted__gt=0)
    working.update(submitted=F("submitted") - 1, next_at=order.as_of)
    order.slice_number = None
    order.save(update_fields=["slice_number"])


def position_at_end(*, order: Order, position: Position, filled: OrderFilled, as_of: dt.datetime) -> Position:
    """Return the position after an order has ended: the anchor moves where at least half of it filled (strategy 7).

    A slice leaves the anchor to its order, which ends with its last slice, or with one that ends otherwise than filled:
    the broker, or a person, said no.
    """
    if order.plan is None:
        return end_order(position, filled, float(order.quantity))
    plan = OrderPlan.objects.select_for_update(no_key=True).get(pk=order.plan.pk)
    if not plan.is_working:
        return position
    if order.status != Order.Status.FILLED:
        detail = f": {order.status_detail}" if order.status_detail else ""
        return _ended(
            plan, position, f"slice {order.slice_number} was {order.get_status_display().lower()}{detail}", as_of
        )
    if plan.submitted >= plan.slice_count:
        return _ended(plan, position, "all its slices are filled", as_of)
    return position


def _ended(plan: OrderPlan, position: Position, because: str, as_of: dt.datetime) -> Position:
    plan.status, plan.ended_because, plan.ended_at = OrderPlan.Status.ENDED, because[:400], as_of
    plan.save(update_fields=["status", "ended_because", "ended_at"])
    event_record(
        kind="order_plan.ended",
        subject=subject_of(plan),
        origin=ORIGIN,
        tenant_id=plan.tenant_id,
        as_of=as_of,
        after={"because": because, "filled": plan.filled_quantity, "quantity": plan.quantity},
    )
    filled = OrderFilled(quantity=float(plan.filled_quantity), gross=float(plan.filled_value))
    return end_order(position, filled, float(plan.quantity))
