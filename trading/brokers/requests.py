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
    refusal = capabilities.refusal(request)
    if refusal:
        raise BrokerRejectedError(refusal, code="unsupported")


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
