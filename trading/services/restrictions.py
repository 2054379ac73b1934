"""Halts as trading obeys them: what a cell may do, what is not sent, and what is cancelled."""

from __future__ import annotations

from portfolios.models import BrokerAccount, Cell, TradingRestriction
from portfolios.standings import InForce, Standing, restrictions_in_force, trading_states
from trading.models import Order
from trading.services.order_cancels import CANCELLABLE
from volbal.common import numbers
from volbal.strategy import Decision, withheld_decision
from volbal.strategy.codes import Action, Reason

__all__ = ["Standing", "submission_refusal", "trading_states"]

# What a float64 stock share may be off by without being further from the band.
SHARE_TOLERANCE = 1e-9


def reducing_decision(decision: Decision, *, min_stock: float, max_stock: float) -> Decision:
    """Return what is left of a decision where a cell may only reduce: a SKIP `reducing` for what it may not do.

    Buys wait. A sell goes through unless it would leave the stock share further from the guardrail band than it is;
    a protective stop always goes through, because leaving is what it is for.
    """
    if decision.action == Action.BUY:
        return withheld_decision(decision, Reason.REDUCING)
    if decision.action == Action.SELL and decision.reason != Reason.STOP_LOSS:
        before, after = decision.stock_share, decision.stock_share_after
        if before is not None and after is not None and _is_further(before, after, min_stock, max_stock):
            return withheld_decision(decision, Reason.REDUCING)
    return decision


def _is_further(before: float, after: float, low: float, high: float) -> bool:
    return _distance(after, low, high) > _distance(before, low, high) + SHARE_TOLERANCE


def _distance(share: float, low: float, high: float) -> float:
    """Return how far a stock share is outside the guardrail band; 0 within it."""
    return max(low - share, share - high, 0.0)


def submission_refusal(order: Order) -> str | None:
    """Return why an order that was written may not be sent any more, or None where it may. One query.

    The order carries its cell, portfolio and account. Cancellations are never asked about.
    """
    standing = restrictions_in_force(portfolio_ids=[order.cell.portfolio_id]).of_cell(order.cell)
    return order_forbidden(standing, order)


def order_forbidden(standing: Standing, order: Order) -> str | None:
    """Return why an order of a cell, which it carries, may not be sent where the cell stands so; None where it may."""
    if standing.is_halted:
        return f"not sent: trading is halted here: {standing.reason}"[:240]
    if standing.is_reducing and not _reduces(order):
        return f"not sent: only sells towards the guardrails go out here: {standing.reason}"[:240]
    return None


def _reduces(order: Order) -> bool:
    """Whether an order takes stock off without leaving the cell's stock share further from its band."""
    if order.side == Order.Side.BUY:
        return False
    cell, price = order.cell, order.decision_price
    if order.purpose == Order.Purpose.STOP or price is None or cell.parameters is None:
        return True
    value = numbers.to_float(cell.cash + cell.receivable + cell.shares * price)
    if value <= 0.0:
        return True
    before = numbers.to_float(cell.shares * price) / value
    after = numbers.to_float((cell.shares - order.quantity) * price) / value
    return not _is_further(before, after, float(cell.parameters.min_stock), float(cell.parameters.max_stock))


def orders_forbidden(*, account: BrokerAccount) -> list[tuple[Order, str]]:
    """Return the open orders of an account that restrictions in force cancel, and those of cells that were put away.

    Each comes with the reason; two queries.
    """
    in_force = restrictions_in_force()
    orders = Order.objects.filter(account=account, status__in=CANCELLABLE).select_related(
        "account", "cell__instrument", "cell__parameters", "cell__portfolio__account"
    )
    if not in_force.by_scope:
        orders = orders.filter(cell__status=Cell.Status.ARCHIVED)
    found = ((order, _put_away(order) or _cancels(in_force, order)) for order in orders.order_by("id"))
    return [(order, reason) for order, reason in found if reason is not None]


def _put_away(order: Order) -> str | None:
    return "cancelled: the cell is archived" if order.cell.status == Cell.Status.ARCHIVED else None


def _cancels(in_force: InForce, order: Order) -> str | None:
    standing = in_force.of_cell(order.cell)
    # What rests at a trigger never outlives a halt (strategy 12).
    rests = order.purpose == Order.Purpose.RESTING
    holding = [one for one in standing.held_by if one.cancels_orders or rests]
    for one in holding:
        if one.state == TradingRestriction.State.HALTED:
            return f"cancelled by a halt: {one.reason}"[:240]
    if holding and not _reduces(order):
        return f"cancelled, only sells towards the guardrails stay: {holding[0].reason}"[:240]
    return None
