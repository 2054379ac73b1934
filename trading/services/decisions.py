"""Asking the rule for many cells at once, and putting its answer into rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from portfolios.commission import CommissionTerms
from portfolios.models import Cell, Portfolio
from portfolios.selectors import cell_state, commission_terms, rules_of
from trading.feeds.registry import REPLAY
from trading.models import Evaluation, Order, Tick
from trading.services.gates import GateFacts, gate_reason
from trading.services.pricing import MarketPrice
from trading.services.triggers import triggers_in_force
from volbal.common import numbers
from volbal.strategy import CellState, Decision, StrategyParameters, decide_many, gate_decision
from volbal.strategy.codes import Action
from volbal.strategy.fills import affordable_quantity, buy_limit


@dataclass(frozen=True, slots=True)
class CellDecision:
    """A cell as it was asked about, and the answer."""

    cell: Cell
    price: MarketPrice
    state: CellState
    parameters: StrategyParameters
    decision: Decision
    order_quantity: float
    limit_price: float | None
    terms: CommissionTerms

    @property
    def is_order(self) -> bool:
        """Whether an order follows."""
        return self.order_quantity > 0.0


def decide_cells(
    cells: list[Cell], days: dict[int, dt.date], prices: dict[int, MarketPrice], facts: GateFacts
) -> list[CellDecision]:
    """Decide for all cells with one call of the rule, then put the gates' refusals in its place."""
    states = [cell_state(cell, days[cell.pk]) for cell in cells]
    known = {cell.pk: prices[cell.instrument_id].price for cell in cells}
    terms = commission_terms(cells)
    parameters = triggers_in_force(cells, days, rules_of(cells, known, terms))
    columns = decide_many([float(known[cell.pk]) for cell in cells], states, parameters)
    decided = []
    for index, cell in enumerate(cells):
        price = prices[cell.instrument_id]
        gate = gate_reason(facts, cell, price)
        answer = (
            columns.decision(index)
            if gate is None
            else gate_decision(gate, float(price.price), states[index], parameters[index])
        )
        quantity, limit = _order_of(answer, states[index], parameters[index], facts)
        decided.append(
            CellDecision(cell, price, states[index], parameters[index], answer, quantity, limit, terms[cell.pk])
        )
    return decided


def _order_of(
    answer: Decision, state: CellState, parameters: StrategyParameters, facts: GateFacts
) -> tuple[float, float | None]:
    """Return quantity (0 for none) and limit of the order that a decision asks for (strategy 7).

    A buy is a marketable limit, at the price in a replay and slightly beyond it live, cut so that cash cannot become
    negative. A sell is at market.
    """
    if answer.action == Action.SELL:
        return -answer.quantity, None
    if answer.action != Action.BUY:
        return 0.0, None
    limit = answer.price if facts.portfolio.feed == REPLAY else buy_limit(answer.price)
    return affordable_quantity(state.cash, answer.quantity, limit, parameters), limit


def evaluation_of(tick: Tick, one: CellDecision) -> Evaluation:
    """Return the row that records a decision with its numbers."""
    cell, answer = one.cell, one.decision
    return Evaluation(
        tenant_id=tick.tenant_id,
        tick=tick,
        cell=cell,
        parameters=cell.parameters,
        as_of=tick.as_of,
        price=one.price.price,
        source=one.price.source,
        is_synthetic=one.price.is_synthetic,
        age_seconds=one.price.age_seconds,
        anchor=cell.anchor,
        cash=cell.cash,
        shares=cell.shares,
        receivable=cell.receivable,
        value=numbers.money(answer.value),
        stock_share=answer.stock_share,
        orders_today=one.state.orders_today,
        trigger_up=one.parameters.trigger_up,
        trigger_down=one.parameters.trigger_down,
        action=answer.action,
        reason=answer.reason,
        signal=answer.signal,
        raw_quantity=answer.raw_quantity,
        quantity=answer.quantity,
        sentence=answer.sentence,
    )


def intent_of(portfolio: Portfolio, one: CellDecision, evaluation: Evaluation, moment: dt.datetime) -> Order:
    """Return the order row that is committed before any broker hears of it."""
    buying = one.decision.action == Action.BUY
    return Order(
        tenant_id=portfolio.tenant_id,
        account_id=portfolio.account_id,
        cell=one.cell,
        evaluation=evaluation,
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
        status_at=moment,
        as_of=evaluation.as_of,
    )
