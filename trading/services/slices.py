"""What a tick does with orders worked in slices: wait, submit the next slice, or end them (strategy 14)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db.models import F

from portfolios.models import Cell
from portfolios.selectors import cell_rows
from trading.models import OrderPlan
from trading.services.exposure import exposure_decision
from trading.services.gates import Gate, GateFacts
from trading.services.order_plans import plan_end, schedule_kept
from trading.services.pricing import MarketPrice
from trading.services.restrictions import reducing_decision
from volbal.strategy import Decision, decide_slice
from volbal.strategy import indices as at
from volbal.strategy.codes import Reason
from volbal.strategy.numeric import FloatArray
from volbal.strategy.rule import is_stopped


def slices_look(
    cells: Sequence[Cell],
    days: Mapping[int, dt.date],
    prices: Mapping[int, MarketPrice],
    numbers: tuple[FloatArray, FloatArray],
    gates: list[Gate | None],
    facts: GateFacts,
) -> dict[int, Decision]:
    """Return the slices that go out now, by cell id; nothing is asked where no order is worked in slices.

    `numbers` are the cells' rows and their parameters' as the rule reads them. While an order waits its cell's gate
    becomes `order_in_flight`; where an order ends here, the cell's row is that after its end. The protective stop
    goes before the wait.
    """
    going: dict[int, Decision] = {}
    rows, parameters = numbers
    for index, cell in enumerate(cells):
        plan, gate = facts.plans.get(cell.pk), gates[index]
        if plan is None or (gate is not None and gate.reason == Reason.ORDER_IN_FLIGHT):
            continue
        price = float(prices[cell.instrument_id].price)
        is_reducing = facts.standings[cell.pk].is_reducing
        answer = _asked(plan, price, (rows[index], parameters[index]), gate, facts.as_of, is_reducing=is_reducing)
        if isinstance(answer, Decision):
            answer = exposure_decision(answer, facts.rooms.get(cell.pk, ()))
        if isinstance(answer, Decision) and answer.action == plan.side:
            going[cell.pk] = answer
        elif answer is None:
            gates[index] = Gate(Reason.ORDER_IN_FLIGHT)
        else:
            because = answer.sentence if isinstance(answer, Decision) else answer
            plan_end(plan=plan, cell=cell, because=because, as_of=facts.as_of)
            rows[index] = cell_rows([cell], days)[0]
    return going


def _asked(
    plan: OrderPlan,
    price: float,
    numbers: tuple[FloatArray, FloatArray],
    gate: Gate | None,
    as_of: dt.datetime,
    *,
    is_reducing: bool,
) -> Decision | str | None:
    """Return what the rule says about the next slice, why none may come any more, or None to wait."""
    row, parameters = numbers
    if gate is not None:
        return f"not asked: {gate.reason.replace('_', ' ')}"
    if is_stopped(price, row, parameters):
        return "the protective stop struck"
    if plan.submitted >= plan.slice_count:
        return "its last slice came to nothing"
    if as_of < plan.next_at:
        return None
    filled = float(plan.filled_quantity)
    most = schedule_kept(plan).next_quantity(plan.submitted, float(plan.quantity - plan.filled_quantity))
    answer = decide_slice(price, row, parameters, side=plan.side, filled=filled, most=most)
    if not is_reducing:
        return answer
    low, high = float(parameters[at.MIN_STOCK]), float(parameters[at.MAX_STOCK])
    return reducing_decision(answer, min_stock=low, max_stock=high)


def slice_submitted(*, plan: OrderPlan, as_of: dt.datetime) -> None:
    """Count a slice of an order as submitted, and note when the next is due."""
    following = as_of + dt.timedelta(seconds=schedule_kept(plan).seconds_to_next(plan.submitted + 1))
    OrderPlan.objects.filter(pk=plan.pk).update(submitted=F("submitted") + 1, next_at=following)
