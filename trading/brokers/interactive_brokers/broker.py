"""Interactive Brokers, through a gateway that runs beside volbal."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from portfolios.models import BrokerAccount
from trading.brokers.base import (
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
    OrderType,
    TimeInForce,
)
from trading.brokers.interactive_brokers.payloads import (
    correction_of,
    exact,
    execution_id,
    fills_read,
    order_for,
    order_read,
    reason_code,
    refusal_of,
)
from trading.brokers.interactive_brokers.session import ANSWER_SECONDS, library, session

# Commissions follow their executions, and some executions come late.
OVERLAP = dt.timedelta(minutes=15)
UNANSWERED = ("PendingSubmit", "ApiPending")

CAPABILITIES = Capabilities(
    order_types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    fractional_shares=False,
    immediate_types=frozenset({OrderType.MARKET, OrderType.LIMIT}),
    extended_hours=True,
    extended_hours_types=frozenset({OrderType.LIMIT}),
    streams=False,
    reports_commission=True,
    reports_cash=True,
)


class InteractiveBrokersBroker:
    """One account at Interactive Brokers. The gateway does not mind an order placed twice: it is looked for first."""

    def __init__(self, account: BrokerAccount) -> None:
        self.account = account
        self.capabilities = CAPABILITIES

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Place an order unless it is there already, and wait for the broker's word on it.

        Raises BrokerRejectedError, BrokerBusyError (nothing was sent) or, without an answer, BrokerUnreachableError.
        """
        refusal = self.capabilities.refusal(request)
        if refusal:
            raise BrokerRejectedError(f"Interactive Brokers: {refusal}", code="not_supported")
        ib_async = library()
        with session(self.account) as (line, number):
            placed = self._find(line, request.client_order_id)
            if placed is not None:
                return placed
            contract = self._contract(ib_async, line, request.symbol)
            trade = line.placeOrder(contract, order_for(ib_async, request, number))
            _await(line, lambda: trade.orderStatus.status not in UNANSWERED)
            return _answer(trade)

    def cancel(self, client_order_id: str) -> bool:
        """Ask for an order to be cancelled; return whether it was still open."""
        with session(self.account) as (line, _):
            trade = self._open_trade(line, client_order_id)
            if trade is None:
                return False
            line.cancelOrder(trade.order)
            _await(line, trade.isDone)
            return True

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return the broker's view of one order, or None where it never heard of it."""
        with session(self.account) as (line, _):
            return self._find(line, client_order_id)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all orders of the account that still work, whoever placed them."""
        with session(self.account) as (line, number):
            fills = _newest(line.reqExecutions())
            found = [
                _order_of(trade, _fills_of(fills, trade.order.orderRef))
                for trade in line.reqAllOpenOrders()
                if trade.order.account in ("", number)
            ]
        return [order for order in found if order.is_open]

    def fills_since(self, cursor: str) -> Sequence[FillReport | DoubtfulReport]:
        """Return the executions of the account from a little before `cursor` on, oldest first.

        The gateway keeps those of today alone, or of a week where it is set so. One that the broker corrected stays as
        it was told first, and its correction is doubtful.
        """
        since = dt.datetime.fromisoformat(cursor) - OVERLAP if cursor else self.account.created_at
        with session(self.account) as (line, _):
            told = line.reqExecutions()
        reports = fills_read(_newest(told))
        late = [report for report in reports if isinstance(report, DoubtfulReport) or report.as_of >= since]
        return [*late, *_corrections(told)]

    def cash_since(self, moment: dt.datetime) -> Sequence[CashReport | DoubtfulReport]:
        """Return nothing: the gateway tells no movement of cash."""
        return ()

    def holdings(self) -> Holdings:
        """Return shares, and cash in the account's currency."""
        with session(self.account) as (line, number):
            shares = {one.contract.symbol: exact(one.position) for one in line.reqPositions() if one.account == number}
            cash = [
                exact(one.value)
                for one in line.accountValues(number)
                if (one.tag, one.currency) == ("CashBalance", self.account.currency)
            ]
        if not cash:
            raise BrokerUnreachableError(f"the gateway does not tell the cash in {self.account.currency}")
        return Holdings(shares={symbol: held for symbol, held in shares.items() if held}, cash=cash[0])

    def stream(self) -> Iterator[BrokerUpdate]:
        """Yield nothing: this broker is asked."""
        return iter(())

    def _contract(self, ib_async: Any, line: Any, symbol: str) -> Any:
        found = line.qualifyContracts(ib_async.Stock(symbol, "SMART", self.account.currency))
        if len(found) != 1 or found[0] is None:
            raise BrokerRejectedError(
                f"Interactive Brokers knows no single share {symbol} in {self.account.currency}",
                code=reason_code(200, ""),
            )
        return found[0]

    def _find(self, line: Any, client_order_id: str) -> BrokerOrder | None:
        """Look among what works, what is done, and what was executed: each alone forgets something."""
        fills = _fills_of(_newest(line.reqExecutions()), client_order_id)
        trades = [*line.reqAllOpenOrders(), *line.reqCompletedOrders(apiOnly=False)]
        for trade in trades:
            if trade.order.orderRef == client_order_id:
                return _order_of(trade, fills)
        if not fills:
            return None
        reports = [report for report in fills_read(fills) if isinstance(report, FillReport)]
        if not reports:
            raise BrokerUnreachableError("the executions of this order cannot be read")
        return BrokerOrder(
            client_order_id,
            reports[0].broker_order_id,
            BrokerOrderStatus.PARTIALLY_FILLED,
            filled_quantity=sum((report.quantity for report in reports), exact(0)),
            symbol=reports[0].symbol,
            side=reports[0].side,
        )

    def _open_trade(self, line: Any, client_order_id: str) -> Any:
        for trade in line.reqAllOpenOrders():
            if trade.order.orderRef == client_order_id and not trade.isDone():
                return trade
        return None


def _newest(fills: Sequence[Any]) -> list[Any]:
    """Return executions, each in its newest correction."""
    ordered = sorted(fills, key=lambda one: str(one.execution.execId))
    return list({execution_id(fill.execution): fill for fill in ordered}.values())


def _corrections(fills: Sequence[Any]) -> list[DoubtfulReport]:
    ordered = sorted((fill.execution for fill in fills), key=lambda one: str(one.execId))
    changed = (correction_of(one, two) for one, two in pairwise(ordered) if execution_id(one) == execution_id(two))
    return [one for one in changed if one is not None]


def _fills_of(fills: Sequence[Any], client_order_id: str) -> list[Any]:
    return [fill for fill in fills if client_order_id and fill.execution.orderRef == client_order_id]


def _order_of(trade: Any, fills: Sequence[Any]) -> BrokerOrder:
    """Read an order. Raises BrokerUnreachableError where it cannot be: no answer is better than a wrong one."""
    try:
        return order_read(trade, fills)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as fault:
        raise BrokerUnreachableError(f"the gateway's answer cannot be read: {type(fault).__name__} {fault}") from None


def _answer(trade: Any) -> BrokerOrder:
    if trade.orderStatus.status in UNANSWERED:
        raise BrokerUnreachableError("the gateway took the order and the broker has not said a word of it yet")
    answer = _order_of(trade, trade.fills)
    if answer.status == BrokerOrderStatus.REJECTED:
        sentence, code = refusal_of(trade) or ("the broker does not take this order", "rejected")
        raise BrokerRejectedError(sentence, code=code)
    return answer


def _await(line: Any, is_so: Any) -> None:
    """Let the line work until something is so, or the time for an answer is over."""
    ends = time.monotonic() + ANSWER_SECONDS
    while not is_so() and time.monotonic() < ends:
        line.waitOnUpdate(timeout=max(ends - time.monotonic(), 0.01))
