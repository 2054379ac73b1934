"""What an order may cost: known before it is written, and looked at once more before it is sent."""

from __future__ import annotations

from decimal import Decimal

from portfolios.commission import CommissionTerms
from trading.models import Order
from volbal.common import numbers
from volbal.strategy.fills import buy_limit


def worst_price(order: Order) -> Decimal | None:
    """Return the highest price a buy is reckoned at: its limit, else slightly beyond its stop or the present price."""
    if order.limit_price is not None:
        return Decimal(order.limit_price)
    known = order.decision_price if order.stop_price is None else order.stop_price
    return None if known is None else numbers.price(buy_limit(float(known)))


def buying_cost(quantity: Decimal, price: Decimal, terms: CommissionTerms) -> Decimal:
    """Return what shares cost at a price, commission included, to the cent."""
    notional = numbers.money(quantity * price)
    return notional + terms.commission(quantity=quantity, notional=notional)


def shortfall(order: Order) -> str | None:
    """Return what the order's cell, as it is loaded, has too little of for what is left of it; None where it is enough.

    A buy without any price is not reckoned.
    """
    left, cell = order.quantity - order.filled_quantity, order.cell
    if order.side == Order.Side.SELL:
        if left <= cell.shares:
            return None
        return f"it sells {left.normalize():f} shares, and the cell has {cell.shares.normalize():f}"
    price = worst_price(order)
    cost = None if price is None else buying_cost(left, price, order.commission_terms)
    if cost is None or cost <= cell.cash:
        return None
    return f"it may cost {cost:,.2f}, and the cell has {cell.cash:,.2f}"
