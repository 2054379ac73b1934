"""Asking the rule for many cells at once, and putting its answer into rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portfolios.commission import CommissionTerms
from portfolios.models import Cell, Portfolio
from portfolios.selectors import cell_rows, commission_terms, parameter_rows
from trading.feeds.registry import REPLAY
from trading.models import Order, OrderPlan, Tick
from trading.services.exposure import exposure_decision
from trading.services.gates import Gate, GateFacts, gate_of
from trading.services.order_expiry import order_expires_at
from trading.services.pricing import MarketPrice
from trading.services.resting_rule import CellRests
from trading.services.resting_ticks import resting_look
from trading.services.restrictions import reducing_decision
from trading.services.slices import slices_look
from trading.services.triggers import triggers_put_in_force
from volbal.common import numbers
from volbal.strategy import Decision, decide_many, gate_decision
from volbal.strategy import indices as at
from volbal.strategy.codes import Action, Reason
from volbal.strategy.fills import buy_limit, cut_to_cash
from volbal.strategy.numeric import FloatArray
from volbal.strategy.slices import EvenSlices, slices_of


@dataclass(frozen=True, slots=True)
class CellDecision:
    """A cell as it was asked about, with the rows of numbers the rule read, and the answer.

    `order_quantity` is shares above 0, or 0 where no order follows; `limit_price` is None for an order at market.
    """

    cell: Cell
    price: MarketPrice
    numbers: FloatArray
    parameters: FloatArray
    decision: Decision
    terms: CommissionTerms
    order_quantity: float = 0.0
    limit_price: float | None = None
    plan: OrderPlan | None = None
    schedule: EvenSlices | None = None
    rests: CellRests | None = None
    asked_on: dt.date | None = None

    @property
    def is_order(self) -> bool:
        """Whether an order follows."""
        return self.order_quantity > 0.0

    @property
    def purpose(self) -> Order.Purpose:
        """What the order is for."""
        if self.decision.reason == Reason.STOP_LOSS:
            return Order.Purpose.STOP
        return Order.Purpose.RULE if self.plan is None and self.schedule is None else Order.Purpose.SLICE


def decide_cells(
    cells: Sequence[Cell], days: Mapping[int, dt.date], prices: Mapping[int, MarketPrice], facts: GateFacts
) -> list[CellDecision]:
    """Decide for all cells with one call of the rule, then put the gates' refusals in its place."""
    known = {cell.id: prices[cell.instrument_id].price for cell in cells}
    terms = commission_terms(cells)
    rows, parameters = cell_rows(cells, days), parameter_rows(cells, known, terms)
    triggers_put_in_force(cells, days, known, terms, parameters)
    gates = [
        gate_of(facts, cell, prices[cell.instrument_id]) or _broken(row) for cell, row in zip(cells, rows, strict=True)
    ]
    slices = slices_look(cells, days, prices, (rows, parameters), gates, facts)
    resting = resting_look(cells, days, prices, (rows, parameters), gates, terms, facts)
    answers = decide_many(np.array([float(price) for price in known.values()]), rows, parameters)
    decided = []
    for index, cell in enumerate(cells):
        price, gate = prices[cell.instrument_id], gates[index]
        answer = slices.get(cell.id)
        plan = None if answer is None else facts.plans[cell.id]
        if answer is None:
            answer = answers.decision(index) if gate is None else _gated(gate, price, rows[index], parameters[index])
        if cell.id in resting.answers:
            answer = resting.answers[cell.id]
        else:
            if facts.standings[cell.id].is_reducing:
                low, high = float(parameters[index][at.MIN_STOCK]), float(parameters[index][at.MAX_STOCK])
                answer = reducing_decision(answer, min_stock=low, max_stock=high)
            answer = exposure_decision(answer, facts.rooms.get(cell.id, ()))
        schedule = _schedule_of(answer, parameters[index]) if plan is None else None
        quantity, limit = _order_of(answer, rows[index], parameters[index], facts, schedule)
        decided.append(
            CellDecision(
                cell, price, rows[index], parameters[index], answer, terms[cell.id], quantity, limit, plan, schedule,
                resting.rests.get(cell.id), resting.asked_on.get(cell.id),
            )
        )  # fmt: skip
    return decided


def _broken(row: FloatArray) -> Gate | None:
    """Return `halted` for negative totals, booked from a broker's report: the rule's bounds begin at 0."""
    return Gate(Reason.HALTED) if row[: at.ANCHOR].min() < 0.0 else None


def _gated(gate: Gate, price: MarketPrice, row: FloatArray, parameters: FloatArray) -> Decision:
    return gate_decision(gate.reason, float(price.price), row, parameters, because=gate.because)


def _schedule_of(answer: Decision, parameters: FloatArray) -> EvenSlices | None:
    """Return how the order of a decision is worked in slices; None where it goes out whole, as a stop's does."""
    if answer.action not in (Action.BUY, Action.SELL) or answer.reason == Reason.STOP_LOSS:
        return None
    return slices_of(abs(answer.quantity), answer.price, parameters)


def _order_of(
    answer: Decision, row: FloatArray, parameters: FloatArray, facts: GateFacts, schedule: EvenSlices | None
) -> tuple[float, float | None]:
    """Return quantity (0 for none) and limit of the order that a decision asks for (strategy 7).

    A buy is a marketable limit, at the price in a replay and slightly beyond it live, cut so that cash cannot become
    negative. A sell is at market. Of an order worked in slices the first goes out.
    """
    if answer.action not in (Action.BUY, Action.SELL):
        return 0.0, None
    whole = abs(answer.quantity)
    quantity = whole if schedule is None else schedule.next_quantity(0, whole)
    if answer.action == Action.SELL:
        return quantity, None
    limit = answer.price if facts.portfolio.feed == REPLAY else buy_limit(answer.price)
    return float(cut_to_cash(row[at.CASH], quantity, limit, parameters)), limit


def evaluation_columns(tick: Tick, decided: Sequence[CellDecision], moment: dt.datetime) -> dict[str, list[Any]]:
    """Return the rows that record decisions with their numbers, as columns by attribute name."""
    cells = [one.cell for one in decided]
    prices = [one.price for one in decided]
    answers = [one.decision for one in decided]
    count = len(decided)
    return {
        "tenant_id": [tick.tenant_id] * count,
        "tick_id": [tick.pk] * count,
        "cell_id": [cell.id for cell in cells],
        "parameters_id": [cell.parameters_id for cell in cells],
        "as_of": [tick.as_of] * count,
        "price": [price.price for price in prices],
        "source": [price.source for price in prices],
        "is_synthetic": [price.is_synthetic for price in prices],
        "age_seconds": [price.age_seconds for price in prices],
        "anchor": [cell.anchor for cell in cells],
        "cash": [cell.cash for cell in cells],
        "shares": [cell.shares for cell in cells],
        "receivable": [cell.receivable for cell in cells],
        "value": [numbers.money(answer.value) for answer in answers],
        "stock_share": [answer.stock_share for answer in answers],
        "orders_today": [int(one.numbers[at.ORDERS]) for one in decided],
        "trigger_up": [float(one.parameters[at.TRIGGER_UP]) for one in decided],
        "trigger_down": [float(one.parameters[at.TRIGGER_DOWN]) for one in decided],
        "action": [answer.action for answer in answers],
        "reason": [answer.reason for answer in answers],
        "signal": [answer.signal for answer in answers],
        "raw_quantity": [answer.raw_quantity for answer in answers],
        "quantity": [answer.quantity for answer in answers],
        "sentence": [answer.sentence for answer in answers],
        "recorded_at": [moment] * count,
    }


def intent_of(portfolio: Portfolio, one: CellDecision, evaluation_id: int, tick: Tick, moment: dt.datetime) -> Order:
    """Return the order row that is committed before any broker hears of it."""
    buying = one.decision.action == Action.BUY
    return Order(
        tenant_id=portfolio.tenant_id,
        account_id=portfolio.account_id,
        cell=one.cell,
        evaluation_id=evaluation_id,
        plan=one.plan,
        slice_number=None if one.plan is None else one.plan.submitted + 1,
        purpose=one.purpose,
        side=Order.Side.BUY if buying else Order.Side.SELL,
        type=Order.Type.MARKET if one.limit_price is None else Order.Type.LIMIT,
        quantity=numbers.shares(one.order_quantity),
        limit_price=None if one.limit_price is None else numbers.price(one.limit_price),
        reason=one.decision.reason,
        decision_price=one.price.price,
        quote_source=one.price.source,
        commission_rate=one.terms.rate,
        commission_per_share=one.terms.per_share,
        commission_min=one.terms.minimum,
        commission_cap=one.terms.cap,
        is_counted=one.cell.execution != Cell.Execution.RESTING,
        expires_at=order_expires_at(
            portfolio=portfolio,
            exchange=one.cell.instrument.exchange,
            time_in_force=Order.TimeInForce.DAY,
            as_of=tick.as_of,
            moment=moment,
        ),
        status_at=moment,
        as_of=tick.as_of,
    )


def plan_of(one: CellDecision, evaluation_id: int, tick: Tick, day: dt.date) -> OrderPlan:
    """Return the order that a decision begins to work in slices, before its first. Raises ValueError for any other."""
    if one.schedule is None:
        raise ValueError(f"the order of {one.cell} goes out whole")
    return OrderPlan(
        tenant_id=tick.tenant_id,
        cell=one.cell,
        evaluation_id=evaluation_id,
        side=one.decision.action,
        quantity=numbers.shares(abs(one.decision.quantity)),
        reason=one.decision.reason,
        decision_price=one.price.price,
        slice_count=one.schedule.count,
        slice_quantity=numbers.shares(one.schedule.size),
        interval_seconds=one.schedule.interval_seconds,
        day=day,
        next_at=tick.as_of,
        as_of=tick.as_of,
    )
