"""What every adapter refuses before it asks its broker: orders that make no sense, or that it does not claim to do."""

from __future__ import annotations

from decimal import Decimal

from trading.brokers.base import BrokerRejectedError, Capabilities, OrderRequest, OrderType
from volbal.common.numbers import MICRO

SIDES = ("BUY", "SELL")
MOST = Decimal(10) ** 13


def require_sense(request: OrderRequest, capabilities: Capabilities) -> None:
    """Raise BrokerRejectedError, `invalid_order` or `unsupported`, naming what cannot be."""
    _require_terms(request)
    if request.type not in capabilities.order_types:
        raise _unsupported(f"{request.type} orders")
    if request.time_in_force not in capabilities.times_in_force:
        raise _unsupported(f"orders with time in force {request.time_in_force}")
    if request.extended_hours and not capabilities.extended_hours:
        raise _unsupported("orders outside the regular session")
    if request.quantity != request.quantity.to_integral_value():
        if not capabilities.fractional_shares:
            raise _unsupported("fractions of a share")
        if request.type not in capabilities.fractional_types:
            raise _unsupported(f"fractions of a share in {request.type} orders")


def _require_terms(request: OrderRequest) -> None:
    if request.side not in SIDES:
        raise _invalid(f"side is {request.side!r}; expected BUY or SELL")
    _require_amount("quantity", request.quantity)
    if request.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        _require_amount("limit_price", request.limit_price)
    if request.type in (OrderType.STOP, OrderType.STOP_LIMIT):
        _require_amount("stop_price", request.stop_price)


def _require_amount(name: str, value: Decimal | None) -> None:
    if value is None:
        raise _invalid(f"{name} is missing")
    if not value.is_finite() or not 0 < value < MOST or value != value.quantize(MICRO):
        raise _invalid(f"{name} is {value}; expected a number above 0 in steps of {MICRO}")


def _invalid(message: str) -> BrokerRejectedError:
    return BrokerRejectedError(message, code="invalid_order")


def _unsupported(what: str) -> BrokerRejectedError:
    return BrokerRejectedError(f"this broker takes no {what}", code="unsupported")
