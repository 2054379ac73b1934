"""One adapter under test, with short ways to ask of it what cases ask."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.conformance.harness import SYMBOL, Harness
from trading.brokers.base import (
    Broker,
    BrokerOrder,
    BrokerOrderStatus,
    FillReport,
    OrderRequest,
    OrderType,
)

S = BrokerOrderStatus
HUNDRED = Decimal(100)
# Taken, and nothing filled: a broker may take its time before it works.
UNFILLED = (S.RECEIVED, S.WORKING)


@dataclass(slots=True)
class Bench:
    """One adapter under test, with short ways to ask of it what cases ask."""

    harness: Harness
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def broker(self) -> Broker:
        return self.harness.broker

    def request(self, side: str = "BUY", quantity: Decimal | int | str = 10, **terms: Any) -> OrderRequest:
        """Return an order of whole shares at market for the day, unless told otherwise, under a new id."""
        return replace(
            OrderRequest(f"vb-conformance-{next(self._numbers)}", SYMBOL, side, Decimal(quantity)),
            quote_source=self.harness.quote_source,
            **terms,
        )

    def resting(self, side: str = "BUY", quantity: Decimal | int | str = 10) -> OrderRequest:
        """Return a limit order far from a market at 100."""
        limit = Decimal(50) if side == "BUY" else Decimal(200)
        return self.request(side, quantity, type=OrderType.LIMIT, limit_price=limit)

    def placed(self, request: OrderRequest) -> str:
        """Submit and return the client order id."""
        answer = self.broker.submit(request)
        assert answer.client_order_id == request.client_order_id, f"the answer is about {answer.client_order_id}"
        return request.client_order_id

    def known(self, client_order_id: str) -> BrokerOrder:
        """Return the broker's view of an order that it must know."""
        order = self.broker.order(client_order_id)
        assert order is not None, f"the broker does not know {client_order_id}"
        return order

    def expect(self, client_order_id: str, *expected: BrokerOrderStatus) -> BrokerOrder:
        """Return the broker's view of an order that must be in one of these states."""
        order = self.known(client_order_id)
        assert order.status in expected, f"the order is {order.status}, expected {' or '.join(expected)}"
        return order

    def reports(self, cursor: str = "") -> list[FillReport]:
        """Return the reports after a cursor, each fill once, in the order first told."""
        once = {report.broker_fill_id: report for report in self.broker.fills_since(cursor)}
        return list(once.values())

    def open_ids(self) -> set[str]:
        """Return the ids of the orders that the broker says are open."""
        return {order.client_order_id for order in self.broker.open_orders()}


def raises(kind: type[Exception], call: Callable[[], Any]) -> Any:
    """Return the error that a call must raise."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, and the answer was {answer!r}")


def total(reports: Iterable[FillReport]) -> Decimal:
    """Return the shares of some reports together."""
    return sum((report.quantity for report in reports), Decimal(0))
