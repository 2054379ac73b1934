"""The paper broker as others see it: it fills on the newest quote of the order's source."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from portfolios.models import BrokerAccount, Instrument
from trading.brokers.base import (
    BrokerOrder,
    BrokerOrderStatus,
    BrokerRejectedError,
    BrokerUpdate,
    Capabilities,
    CashReport,
    DoubtfulReport,
    FillReport,
    Holdings,
    OrderRequest,
)
from trading.brokers.paper.book import Book
from trading.brokers.paper.line import line
from trading.brokers.paper.settings import PaperSettings
from trading.brokers.requests import require_sense
from trading.models import PaperOrder, PaperReport
from volbal.common import numbers

# An order is in its book, or not, as soon as the call is over, and placed once however often it is sent.
CAPABILITIES = Capabilities(extended_hours=True, reports_commission=True, visible_within_seconds=1.0)


class PaperBroker:
    """Fill orders on quotes: a buy at the ask, a sale at the bid, at the last price where a quote has no sides.

    It behaves towards us as a remote broker does: its book is its own, a client order id is placed once whatever is
    repeated, and fills are learned by asking for reports. What it does wrong is asked for in the account's settings.
    """

    def __init__(self, account: BrokerAccount) -> None:
        self.account, self.capabilities = account, CAPABILITIES
        self.settings = PaperSettings.of(account)
        self._book = Book(account, self.settings)

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Place an order; a market that reaches it fills it at once. Raises BrokerRejectedError with a code."""
        with line(self.account, self.settings, about_an_order=True):
            order = self._taken(request)
        if isinstance(order, BrokerRejectedError):
            raise order
        return _as_reported(order)

    def cancel(self, client_order_id: str) -> bool:
        """Cancel an order at once; return whether it was still open."""
        with line(self.account, self.settings, about_an_order=True):
            return self._book.cancel(client_order_id)

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return the book's view of one order, or None where it was never placed."""
        with line(self.account, self.settings, about_an_order=True):
            self._book.look()
            order = self._book.find(client_order_id)
        return None if order is None else _as_reported(order)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all orders still working."""
        with line(self.account, self.settings):
            return [_as_reported(order) for order in self._book.look()]

    def fills_since(self, cursor: str) -> Sequence[FillReport]:
        """Match what is open against the newest quotes, then return reports after `cursor`, oldest first."""
        with line(self.account, self.settings):
            self._book.look()
            return [self._report(told) for told in self._book.told_after(int(cursor or 0))]

    def cash_since(self, moment: dt.datetime) -> Sequence[CashReport | DoubtfulReport]:
        """Return nothing: every cent of it moves by a fill."""
        return ()

    def holdings(self) -> Holdings:
        """Return what the book's fills add up to."""
        shares: dict[str, Decimal] = defaultdict(Decimal)
        cash = numbers.ZERO
        with line(self.account, self.settings):
            for symbol, side, quantity, notional, commission in self._book.totals():
                sign = 1 if side == "BUY" else -1
                shares[symbol] += sign * numbers.shares(quantity)
                cash -= sign * numbers.money(notional) + numbers.money(commission)
        return Holdings(shares=dict(shares), cash=cash, is_total=False)

    def stream(self) -> Iterator[BrokerUpdate]:
        """Yield nothing: this broker is asked."""
        return iter(())

    def _taken(self, request: OrderRequest) -> PaperOrder | BrokerRejectedError:
        """Return the order as it stands after it was taken, or the refusal, which is an answer like another."""
        try:
            require_sense(request, self.capabilities)
        except BrokerRejectedError as refusal:
            return refusal
        instrument = Instrument.objects.filter(symbol=request.symbol).first()
        if instrument is None:
            return BrokerRejectedError(f"unknown symbol {request.symbol}", code="unknown_symbol")
        order = self._book.take(request, instrument)
        if order.status == PaperOrder.Status.REJECTED:
            return BrokerRejectedError(order.detail, code=order.code)
        return order

    def _report(self, told: PaperReport) -> FillReport:
        fill, order = told.fill, told.fill.order
        return FillReport(
            cursor=str(told.number),
            broker_fill_id=f"paper-{fill.pk}",
            client_order_id=order.client_order_id,
            quantity=fill.quantity,
            price=fill.price,
            commission=fill.commission,
            as_of=fill.as_of,
            broker_order_id=f"P{order.pk}",
            symbol=order.instrument.symbol,
            side=order.side,
            currency=self.account.currency,
        )


def _as_reported(order: PaperOrder) -> BrokerOrder:
    return BrokerOrder(
        client_order_id=order.client_order_id,
        broker_order_id=f"P{order.pk}",
        status=BrokerOrderStatus(order.status),
        filled_quantity=order.filled_quantity,
        symbol=order.instrument.symbol,
        side=order.side,
        quantity=order.quantity,
        detail=order.detail,
        reject_code=order.code,
    )
