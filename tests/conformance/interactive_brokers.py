"""Interactive Brokers' adapter under the suite, without its gateway: one of our own behind ib_async's interface."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import Self
from unittest.mock import patch

import ib_async

from tests.conformance.harness import TELLS_NO_CASH, NotSupportedError, is_reached
from tests.interactive_brokers.gateway import OPEN, Book, Gateway
from tests.trading.builders import make_desk
from trading.brokers.base import Broker, BrokerOrderStatus, OrderType
from trading.brokers.interactive_brokers.payloads import TYPES
from trading.brokers.registry import broker_of
from volbal.common.tenancy import tenant_scope

KINDS = {told: kind for kind, told in TYPES.items()}


class InteractiveBrokersHarness:
    """A fresh account; each question opens a line of its own, as the adapter always does."""

    name = "interactive_brokers"
    quote_source = ""
    lacks: Mapping[str, str] = {
        "fractional_shares": "whole shares only",
        "stream": "is asked, and streams nothing",
        "cash_movement": TELLS_NO_CASH,
    }

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.book = Book()
        self._open.enter_context(patch.object(ib_async, "IB", lambda: Gateway(self.book)))
        desk = make_desk("conformance", broker="interactive_brokers")
        self._open.enter_context(tenant_scope(desk.tenant.pk))
        self.account = desk.account
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def broker(self) -> Broker:
        return broker_of(self.account)

    def price(self, last: Decimal) -> None:
        for trade in self.book.trades:
            order = trade.order
            if trade.orderStatus.status not in OPEN:
                continue
            kind = KINDS[order.orderType]
            limit = Decimal(str(order.lmtPrice)) if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None
            stop = Decimal(str(order.auxPrice)) if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None
            if is_reached(kind, order.action, last, limit=limit, stop=stop):
                self.book.fill(order.orderRef, trade.orderStatus.remaining, float(last))
            elif order.tif == "IOC":
                self.book.end(order.orderRef)

    def fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        self.book.fill(client_order_id, float(quantity), float(price))

    def garble_fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        self.fill(client_order_id, quantity, price)
        last = self.book.fills[-1]
        self.book.fills[-1] = last._replace(execution=replace(last.execution, side="NONE"))

    def take_fee(self, amount: Decimal) -> None:
        raise NotSupportedError(TELLS_NO_CASH)

    def end(self, client_order_id: str, status: BrokerOrderStatus) -> None:
        # The broker knows no word of its own for an order whose day is over.
        self.book.end(client_order_id)

    def settle_cancel(self, client_order_id: str) -> None:
        """Do nothing: this gateway cancels at once."""

    def refuse_next(self) -> None:
        self.book.refuses = (201, "Order rejected - reason: Available funds are insufficient")

    def lose_next_answer(self) -> None:
        self.book.loses_answers = 1

    def drop_line(self) -> None:
        self.book.is_down = True

    def restore_line(self) -> None:
        self.book.is_down = False
