"""A broker with a will of its own: it does what a test tells it to, behind the protocol all brokers have."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tests.trading.builders import OPEN
from trading.brokers.base import (
    Broker,
    BrokerOrder,
    BrokerOrderStatus,
    BrokerRejectedError,
    BrokerUnreachableError,
    BrokerUpdate,
    Capabilities,
    CashReport,
    DoubtfulReport,
    FillReport,
    Holdings,
    OrderRequest,
)


@dataclass(slots=True)
class StandInBroker:
    """Keep orders and report fills as told.

    `refuses` rejects what is submitted, for the reason `refuses_code`; `silent` gives no answer to anything;
    `silent_after_accepting` keeps an order and then gives no answer; `forgets` hides what it has; `slow_to_cancel`
    takes note of a cancellation and leaves the order at work; `doubtful` is told with every answer about fills,
    `moved` with those about cash; `during_submit` runs once the order is kept and before the answer is given.
    """

    capabilities: Capabilities = field(default_factory=lambda: Capabilities(extended_hours=True))
    requests: list[OrderRequest] = field(default_factory=list)
    book: dict[str, BrokerOrder] = field(default_factory=dict)
    reports: list[FillReport] = field(default_factory=list)
    doubtful: list[DoubtfulReport] = field(default_factory=list)
    moved: list[CashReport | DoubtfulReport] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    shares_beside: dict[str, Decimal] = field(default_factory=dict)
    cash_beside: Decimal = Decimal(0)
    refuses: str = ""
    refuses_code: str = "rejected"
    silent: bool = False
    silent_after_accepting: bool = False
    forgets: bool = False
    slow_to_cancel: bool = False
    during_submit: Callable[[], None] | None = None

    def submit(self, request: OrderRequest) -> BrokerOrder:
        self._answer()
        self.requests.append(request)
        if self.refuses:
            raise BrokerRejectedError(self.refuses, code=self.refuses_code)
        number = f"S{len(self.book) + 1}"
        known = self.book.setdefault(
            request.client_order_id, BrokerOrder(request.client_order_id, number, BrokerOrderStatus.WORKING)
        )
        if self.during_submit is not None:
            self.during_submit()
        if self.silent_after_accepting:
            raise BrokerUnreachableError("the line went dead")
        return known

    def cancel(self, client_order_id: str) -> bool:
        self._answer()
        self.cancelled.append(client_order_id)
        known = self.order(client_order_id)
        if known is not None and not self.slow_to_cancel:
            self.close(client_order_id)
        return known is not None and known.is_open

    def order(self, client_order_id: str) -> BrokerOrder | None:
        self._answer()
        known = None if self.forgets else self.book.get(client_order_id)
        return None if known is None else replace(known, filled_quantity=self.filled(client_order_id))

    def open_orders(self) -> Sequence[BrokerOrder]:
        self._answer()
        return [] if self.forgets else [order for order in self.book.values() if order.is_open]

    def fills_since(self, cursor: str) -> Sequence[FillReport | DoubtfulReport]:
        self._answer()
        return [*self.doubtful, *(report for report in self.reports if int(report.cursor) > int(cursor or 0))]

    def cash_since(self, moment: dt.datetime) -> Sequence[CashReport | DoubtfulReport]:
        self._answer()
        return self.moved

    def stream(self) -> Iterator[BrokerUpdate]:
        return iter(())

    def holdings(self) -> Holdings:
        """Return what the reports add up to, and what a test says it has beside them."""
        self._answer()
        shares, cash = dict(self.shares_beside), self.cash_beside
        orders = {request.client_order_id: request for request in self.requests}
        for report in self.reports:
            request = orders.get(report.client_order_id)
            symbol = report.symbol if request is None else request.symbol
            sign = 1 if (report.side if request is None else request.side) == "BUY" else -1
            shares[symbol] = shares.get(symbol, Decimal(0)) + sign * report.quantity
            cash -= sign * (report.quantity * report.price).quantize(Decimal("0.01"))
            cash -= report.commission or Decimal(0)
        return Holdings(shares=shares, cash=cash, is_total=False)

    def close(self, client_order_id: str, status: BrokerOrderStatus = BrokerOrderStatus.CANCELLED) -> None:
        """End an order on the broker's side: cancelled, expired, rejected or done; what has ended stays so."""
        if self.book[client_order_id].is_open:
            self.book[client_order_id] = replace(self.book[client_order_id], status=status)

    def filled(self, client_order_id: str) -> Decimal:
        """Return the shares of an order that were reported as filled."""
        return sum((one.quantity for one in self.reports if one.client_order_id == client_order_id), Decimal(0))

    def fill(
        self,
        client_order_id: str,
        quantity: Decimal | int | str,
        price: Decimal | int | str,
        *,
        commission: Decimal | None = None,
        as_of: dt.datetime = OPEN,
        **told: str,
    ) -> FillReport:
        """Fill a part of an order; `commission` is the fill's own, None where this broker tells none."""
        number = len(self.reports) + 1
        report = FillReport(
            cursor=str(number),
            broker_fill_id=f"F{number}",
            client_order_id=client_order_id,
            quantity=Decimal(quantity),
            price=Decimal(price),
            commission=commission,
            as_of=as_of,
            **told,
        )
        self.reports.append(report)
        return report

    def _answer(self) -> None:
        if self.silent:
            raise BrokerUnreachableError("no answer")


_follows_the_protocol: type[Broker] = StandInBroker
