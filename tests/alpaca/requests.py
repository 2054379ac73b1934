"""What tests of the adapter ask of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.alpaca.world import World
from trading.brokers.base import OrderRequest


def request(number: int = 1, **changes: Any) -> OrderRequest:
    """Return an order to buy ten shares at the market, but for what is told otherwise."""
    plain = {"client_order_id": f"vb-{number}", "symbol": "IBM", "side": "BUY", "quantity": Decimal(10)}
    return OrderRequest(**(plain | changes))


def posts(world: World) -> int:
    """Return how many orders were posted."""
    return sum(method == "POST" for method, _ in world.requests)
