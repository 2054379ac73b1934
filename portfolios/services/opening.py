"""What a new cell would hold, shown before it is opened (strategy 10, *Start*)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from portfolios.services.amounts import cash_amount, price_amount, share_amount
from volbal.common.errors import Refused
from volbal.common.numbers import MICRO, money, to_float
from volbal.common.numbers import shares as stored_shares
from volbal.strategy import cents, round_down


@dataclass(frozen=True, slots=True)
class OpeningPreview:
    """Shares and cash a cell starts with; `value` is both together at `price`."""

    price: Decimal
    shares: Decimal
    cash: Decimal
    value: Decimal


def opening_preview(
    *, price: Decimal, amount: Decimal, stock_fraction: float = 0.5, quantity_step: float = 0.000001
) -> OpeningPreview:
    """Split an amount of money into shares and cash as a backtest starts (strategy 10).

    `stock_fraction` is between 0 and 1. Raises Refused naming the number that is out of bounds.
    """
    price, amount = price_amount("price", price), cash_amount("amount", amount)
    if not 0 <= stock_fraction <= 1:
        raise Refused(f"stock_fraction is {stock_fraction}; expected between 0 and 1.", code="out_of_bounds")
    if quantity_step < to_float(MICRO):
        raise Refused(f"quantity_step is {quantity_step}; expected at least {MICRO}.", code="out_of_bounds")
    quantity = float(round_down(stock_fraction * to_float(amount) / to_float(price), quantity_step))
    spent = money(float(cents(quantity * to_float(price))))
    return OpeningPreview(price=price, shares=stored_shares(quantity), cash=amount - spent, value=amount)


def opening_preview_by_shares(*, price: Decimal, shares: Decimal, cash: Decimal) -> OpeningPreview:
    """Value a number of shares with cash beside them. Raises Refused naming the number that is out of bounds."""
    price = price_amount("price", price)
    held, beside = share_amount("shares", shares), cash_amount("cash", cash)
    return OpeningPreview(price=price, shares=held, cash=beside, value=beside + stock_value(held, price))


def stock_value(shares: Decimal, price: Decimal) -> Decimal:
    """Return what shares are worth at a price, to the cent (strategy 7)."""
    return money(float(cents(to_float(shares) * to_float(price))))
