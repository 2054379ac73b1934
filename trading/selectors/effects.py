"""What an action would change, worked out by the rule before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from portfolios.models import Cell
from portfolios.selectors import cell_state, commission_terms, rule_parameters
from trading.models import Order
from trading.selectors.cells import Level, levels_of, present_day, present_price
from trading.services.order_placing import OrderTerms
from volbal.common import numbers
from volbal.strategy import CellState, StrategyParameters
from volbal.strategy.errors import CellError


@dataclass(frozen=True, slots=True)
class Effect:
    """One figure before and after; `form` is how it is written, `note` stands beside (an order's size in shares)."""

    label: str
    form: str
    before: float | None
    after: float | None
    before_note: float | None = None
    after_note: float | None = None


def effect_of_cash(cell: Cell, amount: Decimal) -> tuple[Effect, ...]:
    """Return what `amount` of cash more (or less, where negative) would change; nothing where it cannot be."""
    return _effects(cell, lambda state: replace(state, cash=round(state.cash + float(amount), 2)))


def effect_of_anchor(cell: Cell, anchor: Decimal) -> tuple[Effect, ...]:
    """Return what another anchor would change; what was filled toward the old one no longer counts."""
    return _effects(
        cell, lambda state: replace(state, anchor=float(anchor), bought_since_anchor=0.0, sold_since_anchor=0.0)
    )


def effect_of_order(cell: Cell, terms: OrderTerms) -> tuple[Effect, ...]:
    """Return what an order filled in full at its own price, else the present one, would change."""
    price = terms.price(present_price(cell))
    if price is None:
        return ()
    buying = terms.side == Order.Side.BUY
    notional = numbers.money(terms.quantity * price)
    commission = commission_terms([cell])[cell.pk].commission(quantity=terms.quantity, notional=notional)
    cash = float(cell.cash + (-notional if buying else notional) - commission)
    shares = float(cell.shares + (terms.quantity if buying else -terms.quantity))
    return _effects(
        cell,
        lambda state: replace(
            state, cash=cash, shares=shares, anchor=float(price), bought_since_anchor=0.0, sold_since_anchor=0.0
        ),
    )


def effect_of_parameters(cell: Cell, proposed: StrategyParameters) -> tuple[Effect, ...]:
    """Return how the next buy and sell would move under other parameters."""
    return _effects(cell, lambda state: state, proposed)


def _effects(
    cell: Cell, change: Callable[[CellState], CellState], proposed: StrategyParameters | None = None
) -> tuple[Effect, ...]:
    rule = rule_parameters(cell)
    price = present_price(cell)
    try:
        before = cell_state(cell, present_day(cell))
        after = change(before)
    except CellError:
        return ()
    return _compare(cell, before, after, rule, proposed or rule, None if price is None else float(price))


def _compare(
    cell: Cell,
    before: CellState,
    after: CellState,
    rule: StrategyParameters,
    proposed: StrategyParameters,
    price: float | None,
) -> tuple[Effect, ...]:
    old_buy, old_sell, _, old_share = levels_of(cell, before, rule, price)
    new_buy, new_sell, _, new_share = levels_of(cell, after, proposed, price)
    facts = (
        Effect("Cash", "money", before.cash, after.cash),
        Effect("Shares", "shares", before.shares, after.shares),
        Effect("Anchor", "price", before.anchor, after.anchor),
        Effect("Stock share", "percent", old_share, new_share),
    )
    return (
        *(fact for fact in facts if fact.before != fact.after),
        _level("Next buy", "buy-price", old_buy, new_buy),
        _level("Next sell", "sell-price", old_sell, new_sell),
    )


def _level(label: str, form: str, before: Level | None, after: Level | None) -> Effect:
    return Effect(
        label,
        form,
        None if before is None else before.price,
        None if after is None else after.price,
        None if before is None else before.quantity,
        None if after is None else after.quantity,
    )
