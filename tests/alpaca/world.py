"""What stands behind the local server: an account at an Alpaca of our own that does what a test tells it to."""

from __future__ import annotations

import datetime as dt
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.alpaca import payloads

KEY_ID, SECRET_KEY = "PKLOCALSERVER00001", "local-secret-key-of-no-account-at-all-42"
OPEN_STATES = ("accepted", "new", "partially_filled", "pending_cancel")


class RefusalError(Exception):
    """Alpaca's own no: a status and the body of its errors."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to go wrong at the next request that it fits.

    `status` and `body` answer instead; `drops` loses the answer after the work was done; `delay_seconds` comes late.
    """

    method: str = ""
    path: str = ""
    status: int = 0
    body: Any = None
    drops: bool = False
    delay_seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()

    def fits(self, method: str, path: str) -> bool:
        return (not self.method or method in self.method.split("|")) and self.path in path


@dataclass
class World:
    """An account: orders, activities, positions, cash, prices, and what is to go wrong."""

    cash: Decimal = Decimal(100_000)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)
    movements: list[dict[str, Any]] = field(default_factory=list)
    shares: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    bars: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    actions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    publish: Callable[[Any], None] = lambda message: None
    may_short: bool = False
    key_id: str = KEY_ID
    secret_key: str = SECRET_KEY
    fills_at_once: Decimal | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def list_asset(self, symbol: str, **options: bool) -> None:
        self.assets[symbol] = payloads.asset(symbol, **options)

    def by_client_id(self, client_order_id: str) -> dict[str, Any]:
        for order in self.orders.values():
            if order["client_order_id"] == client_order_id:
                return order
        raise RefusalError(404, 40410000, "order not found for " + client_order_id)

    def place(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take an order as Alpaca does, or refuse it in its words."""
        self._check(body)
        placed = payloads.order(body, now())
        self.orders[placed["id"]] = placed
        self.publish(payloads.trade_update("new", placed | {"status": "new"}, now()))
        if self.fills_at_once is not None and body["type"] == "market":
            self.fill(placed["client_order_id"], Decimal(body["qty"]), self.fills_at_once)
        return placed

    def _check(self, body: dict[str, Any]) -> None:
        if any(order["client_order_id"] == body["client_order_id"] for order in self.orders.values()):
            raise RefusalError(422, 40010001, "client_order_id must be unique")
        asset = self.assets.get(body["symbol"])
        if asset is None:
            raise RefusalError(422, 42210000, f'asset "{body["symbol"]}" not found')
        if not asset["tradable"]:
            raise RefusalError(422, 42210000, f"asset {body['symbol']} is not tradable")
        quantity = Decimal(body["qty"])
        if quantity != quantity.to_integral_value():
            if not asset["fractionable"]:
                raise RefusalError(403, 40310000, f'asset "{body["symbol"]}" is not fractionable')
            if body["time_in_force"] != "day":
                raise RefusalError(422, 42210000, "fractional orders must be DAY orders")
        for name in ("limit_price", "stop_price"):
            self._check_grid(name, body.get(name))
        if body.get("extended_hours") and (body["type"], body["time_in_force"]) != ("limit", "day"):
            raise RefusalError(422, 42210000, "extended hours order must be DAY limit orders")
        if body["side"] == "buy" and Decimal(body.get("limit_price") or 0) * quantity > self.cash:
            raise RefusalError(403, 40310000, "insufficient buying power")
        held = self.shares[body["symbol"]]
        if body["side"] == "sell" and quantity > held and not self.may_short:
            asked = f"(requested: {quantity}, available: {held})"
            raise RefusalError(403, 40310000, f"insufficient qty available for order {asked}")

    def _check_grid(self, name: str, price: str | None) -> None:
        if price is None or Decimal(price) < 1 or Decimal(price) == Decimal(price).quantize(Decimal("0.01")):
            return
        rule = "sub-penny increment does not fulfill minimum pricing criteria"
        raise RefusalError(422, 42210000, f"invalid {name} {price}. {rule}")

    def cancel(self, number: str) -> None:
        """Take a request to cancel; the order is cancelled at once, as it nearly always is."""
        order = self.orders.get(number)
        if order is None:
            raise RefusalError(404, 40410000, "order not found for " + number)
        if order["status"] not in OPEN_STATES:
            raise RefusalError(422, 42210000, f'order is already in "{order["status"]}" state')
        self.end(order["client_order_id"], "canceled")

    def end(self, client_order_id: str, status: str) -> None:
        """End an order: canceled, expired, rejected."""
        with self.lock:
            order = self.by_client_id(client_order_id)
            order["status"] = status
            self.publish(payloads.trade_update(status, order, now()))

    def fill(
        self,
        client_order_id: str,
        quantity: Decimal | int | str,
        price: Decimal | int | str,
        at: dt.datetime | None = None,
    ) -> dict[str, Any]:
        """Fill a part of an order or all of it, and tell the stream; return the activity."""
        with self.lock:
            order = self.by_client_id(client_order_id)
            amount, each, when = Decimal(quantity), Decimal(price), at or now()
            done = Decimal(order["filled_qty"])
            mean = (Decimal(order["filled_avg_price"] or 0) * done + amount * each) / (done + amount)
            order["filled_qty"], order["filled_avg_price"] = payloads.text(done + amount), payloads.text(mean)
            complete = done + amount >= Decimal(order["qty"])
            order["status"] = "filled" if complete else "partially_filled"
            sign = 1 if order["side"] == "buy" else -1
            self.shares[order["symbol"]] += sign * amount
            self.cash -= sign * amount * each
            activity = payloads.fill_activity(order, amount, each, when)
            self.activities.append(activity)
            held = payloads.text(self.shares[order["symbol"]])
            event = "fill" if complete else "partial_fill"
            self.publish(
                payloads.trade_update(
                    event, order, when, price=payloads.text(each), qty=payloads.text(amount), position_qty=held
                )
            )
            return activity

    def move_cash(self, kind: str, amount: str, day: dt.date, **more: Any) -> dict[str, Any]:
        """Move cash without a fill, as fees of a day are taken after its end; return the activity."""
        with self.lock:
            self.cash += Decimal(amount)
            told = payloads.cash_activity(kind, amount, day, more.pop("at", None) or now(), **more)
            self.movements.append(told)
            return told

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Take the first fault that fits a request."""
        for fault in self.faults:
            if fault.fits(method, path):
                self.faults.remove(fault)
                return fault
        return None


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
