"""Alpaca's adapter under the suite, against the server on this machine that speaks its API."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from django.core.cache import cache

from tests.alpaca.conftest import connected_account
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import OPEN_STATES, Fault, World
from tests.conformance.harness import SYMBOL, is_reached
from trading.brokers.base import Broker, BrokerOrderStatus
from trading.brokers.registry import broker_of
from volbal.common import clock

ENDS = {BrokerOrderStatus.CANCELLED: "canceled", BrokerOrderStatus.EXPIRED: "expired"}


class AlpacaHarness:
    """A fresh account at an Alpaca of our own; the adapter is made anew for each question."""

    name = "alpaca"
    quote_source = ""
    lacks: Mapping[str, str] = {"commission": "tells no commission"}

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        cache.clear()
        self.world = World(may_short=True)
        self.world.list_asset(SYMBOL)
        server = AlpacaServer(self.world)
        server.start()
        self._open.callback(server.stop)
        self.account = self._open.enter_context(connected_account(server.url))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def broker(self) -> Broker:
        return broker_of(self.account)

    def price(self, last: Decimal) -> None:
        for order in list(self.world.orders.values()):
            if order["status"] not in OPEN_STATES:
                continue
            if _is_reached(order, last):
                left = Decimal(order["qty"]) - Decimal(order["filled_qty"])
                self.world.fill(order["client_order_id"], left, last)
            elif order["time_in_force"] == "ioc":
                self.world.end(order["client_order_id"], "canceled")

    def fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        self.world.fill(client_order_id, quantity, price)

    def garble_fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        self.world.fill(client_order_id, quantity, price)["order_id"] = 7

    def take_fee(self, amount: Decimal) -> None:
        self.world.move_cash("FEE", str(-amount), clock.now().date(), activity_sub_type="TAF")

    def end(self, client_order_id: str, status: BrokerOrderStatus) -> None:
        self.world.end(client_order_id, ENDS[status])

    def settle_cancel(self, client_order_id: str) -> None:
        """Do nothing: the local server cancels at once."""

    def refuse_next(self) -> None:
        body = {"code": 40310000, "message": "insufficient buying power"}
        self.world.faults.append(Fault("POST", status=403, body=body))

    def lose_next_answer(self) -> None:
        self.world.faults.append(Fault("POST|DELETE", drops=True))

    def drop_line(self) -> None:
        self.world.faults += [Fault(status=503, body={"message": "service unavailable"})] * 100

    def restore_line(self) -> None:
        self.world.faults.clear()


def _is_reached(order: dict[str, Any], price: Decimal) -> bool:
    limit, stop = (None if order[name] is None else Decimal(order[name]) for name in ("limit_price", "stop_price"))
    return is_reached(order["type"], order["side"].upper(), price, limit=limit, stop=stop)
