"""A gateway of our own behind ib_async's interface: its classes are the real ones, what they tell is a test's."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import ib_async

PAPER_ACCOUNT = "DU1234567"
OPEN = ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel")


@dataclass
class Book:
    """What the broker knows: it outlives every line to it."""

    accounts: list[str] = field(default_factory=lambda: [PAPER_ACCOUNT])
    symbols: set[str] = field(default_factory=lambda: {"IBM", "MSFT"})
    trades: list[ib_async.Trade] = field(default_factory=list)
    fills: list[ib_async.Fill] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)
    cash: Decimal = Decimal(100_000)
    lines: list[Gateway] = field(default_factory=list)
    is_down: bool = False
    refuses: tuple[int, str] | None = None
    loses_answers: int = 0
    stays_silent: bool = False
    tells_commission: bool = True
    commission: float = 1.0
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def trade(self, client_order_id: str) -> ib_async.Trade:
        return next(one for one in self.trades if one.order.orderRef == client_order_id)

    def fill(self, client_order_id: str, quantity: float, price: float, at: dt.datetime | None = None) -> None:
        """Execute a part of an order or all of it."""
        trade = self.trade(client_order_id)
        filled = trade.orderStatus.filled + quantity
        remaining = trade.order.totalQuantity - filled
        status = "Filled" if remaining <= 0 else trade.orderStatus.status
        trade.orderStatus = replace(trade.orderStatus, filled=filled, remaining=remaining, status=status)
        number = next(self.numbers)
        execution = ib_async.Execution(
            execId=f"0000e0d5.6596b0d9.{number:02d}.01",
            time=at or dt.datetime.now(dt.UTC),
            acctNumber=trade.order.account,
            exchange="NYSE",
            side="BOT" if trade.order.action == "BUY" else "SLD",
            shares=quantity,
            price=price,
            permId=trade.order.permId,
            orderId=trade.order.orderId,
            cumQty=filled,
            orderRef=client_order_id,
        )
        report = ib_async.CommissionReport()
        if self.tells_commission:
            report = ib_async.CommissionReport(execId=execution.execId, commission=self.commission, currency="USD")
            self.cash -= Decimal(str(self.commission))
        self.fills.append(ib_async.Fill(trade.contract, execution, report, execution.time))
        sign = 1 if trade.order.action == "BUY" else -1
        symbol = trade.contract.symbol
        self.shares[symbol] = self.shares.get(symbol, 0.0) + sign * quantity
        self.cash -= sign * Decimal(str(quantity)) * Decimal(str(price))

    def end(self, client_order_id: str, status: str = "Cancelled", number: int = 202, why: str = "") -> None:
        """End an order by the broker's own will."""
        trade = self.trade(client_order_id)
        trade.orderStatus = replace(trade.orderStatus, status=status)
        trade.log.append(ib_async.TradeLogEntry(dt.datetime.now(dt.UTC), status, f"Error {number}: {why}", number))


class Gateway:
    """One line to the book, with the methods of ib_async.IB that the adapter uses."""

    RequestTimeout: float = 0

    def __init__(self, book: Book) -> None:
        self._book = book
        self._connected = False
        self._client_number = 0
        book.lines.append(self)

    def connect(
        self,
        host: str = "127.0.0.1",
        port: int = 7497,
        clientId: int = 1,  # noqa: N803  # ib_async's own name
        timeout: float = 4,
        readonly: bool = False,
        account: str = "",
        raiseSyncErrors: bool = False,  # noqa: N803
        fetchFields: Any = ib_async.StartupFetchALL,  # noqa: N803
    ) -> None:
        if self._book.is_down:
            raise ConnectionRefusedError(111, "Connect call failed")
        self.place = (host, port, clientId, timeout)
        self._connected, self._client_number = True, clientId

    def disconnect(self) -> str | None:
        self._connected = False
        return None

    def isConnected(self) -> bool:  # noqa: N802
        return self._connected

    def managedAccounts(self) -> list[str]:  # noqa: N802
        return self._book.accounts

    def qualifyContracts(self, *contracts: Any) -> list[Any]:  # noqa: N802
        self._alive()
        return [one for one in contracts if one.symbol in self._book.symbols]

    def placeOrder(self, contract: Any, order: Any) -> ib_async.Trade:  # noqa: N802
        self._alive()
        book = self._book
        order.orderId, order.permId, order.clientId = (
            len(book.trades) + 1,
            9_000 + len(book.trades),
            self._client_number,
        )
        status = ib_async.OrderStatus(orderId=order.orderId, status="PendingSubmit", remaining=order.totalQuantity)
        trade = ib_async.Trade(contract, order, status, [], [])
        book.trades.append(trade)
        self._answered()
        if book.refuses is not None:
            number, why = book.refuses
            book.refuses = None
            book.end(order.orderRef, "Inactive", number, why)
        elif not book.stays_silent:
            trade.orderStatus = replace(trade.orderStatus, status="Submitted")
        return trade

    def cancelOrder(self, order: Any, manualCancelOrderTime: str = "") -> ib_async.Trade | None:  # noqa: N802, N803
        self._alive()
        trade = next(one for one in self._book.trades if one.order.orderId == order.orderId)
        assert trade.order.clientId == self._client_number, "an order is cancelled by whom placed it"
        self._book.end(trade.order.orderRef, "Cancelled", 202, "Order Canceled")
        self._answered()
        return trade

    def reqAllOpenOrders(self) -> list[ib_async.Trade]:  # noqa: N802
        self._alive()
        return [trade for trade in self._book.trades if trade.orderStatus.status in OPEN]

    def reqCompletedOrders(self, apiOnly: bool) -> list[ib_async.Trade]:  # noqa: N802, N803
        self._alive()
        return [_completed(trade) for trade in self._book.trades if trade.isDone()]

    def reqExecutions(self, execFilter: Any = None) -> list[ib_async.Fill]:  # noqa: N802, N803
        self._alive()
        return list(self._book.fills)

    def reqPositions(self) -> list[ib_async.Position]:  # noqa: N802
        self._alive()
        shares = self._book.shares.items()
        return [
            ib_async.Position(PAPER_ACCOUNT, ib_async.Stock(one, "SMART", "USD"), held, 100.0) for one, held in shares
        ]

    def accountValues(self, account: str = "") -> list[ib_async.AccountValue]:  # noqa: N802
        self._alive()
        cash = f"{self._book.cash:.2f}"
        return [
            ib_async.AccountValue(PAPER_ACCOUNT, "CashBalance", "0.00", "EUR", ""),
            ib_async.AccountValue(PAPER_ACCOUNT, "CashBalance", cash, "USD", ""),
        ]

    def waitOnUpdate(self, timeout: float = 0) -> bool:  # noqa: N802
        return False

    def _alive(self) -> None:
        if not self._connected or self._book.is_down:
            raise ConnectionError("Not connected")

    def _answered(self) -> None:
        if self._book.loses_answers:
            self._book.loses_answers -= 1
            if self._book.trades[-1].orderStatus.status == "PendingSubmit":
                self._book.trades[-1].orderStatus.status = "Submitted"
            raise ConnectionResetError("the line went dead")


def _completed(trade: ib_async.Trade) -> ib_async.Trade:
    """Return a done order as the gateway tells it: without its size, its fills and what was said of it."""
    order = replace(trade.order, totalQuantity=0.0, filledQuantity=trade.orderStatus.filled)
    status = ib_async.OrderStatus(orderId=order.orderId, status=trade.orderStatus.status)
    return ib_async.Trade(trade.contract, order, status, [], [])
