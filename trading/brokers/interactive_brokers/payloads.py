"""What ib_async's objects say, as ours, and the other way round."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from trading.brokers.base import BrokerOrder, BrokerOrderStatus, DoubtfulReport, FillReport, OrderRequest, OrderType

TYPES = {OrderType.MARKET: "MKT", OrderType.LIMIT: "LMT", OrderType.STOP: "STP", OrderType.STOP_LIMIT: "STP LMT"}
STATUSES = {
    "PendingSubmit": BrokerOrderStatus.RECEIVED,
    "ApiPending": BrokerOrderStatus.RECEIVED,
    "PreSubmitted": BrokerOrderStatus.WORKING,
    "Submitted": BrokerOrderStatus.WORKING,
    "ValidationError": BrokerOrderStatus.WORKING,
    "ApiUpdate": BrokerOrderStatus.WORKING,
    "PendingCancel": BrokerOrderStatus.CANCELLING,
    "Cancelled": BrokerOrderStatus.CANCELLED,
    "ApiCancelled": BrokerOrderStatus.CANCELLED,
    "Filled": BrokerOrderStatus.FILLED,
    "Inactive": BrokerOrderStatus.REJECTED,
}
# The broker's own numbers for its refusals, and what its sentence of number 201 speaks of.
CODES = {
    103: "duplicate",
    110: "price_increment",
    200: "unknown_symbol",
    203: "not_tradable",
    387: "not_supported",
    388: "not_supported",
    434: "quantity",
    10243: "fraction_not_allowed",
}
_REASONS = (
    ("insufficient", "insufficient_funds"),
    ("margin", "insufficient_funds"),
    ("available funds", "insufficient_funds"),
    ("short", "insufficient_shares"),
    ("closed", "market_closed"),
    ("outside", "market_closed"),
    ("no trading permission", "not_tradable"),
)
SIDES = {"BOT": "BUY", "SLD": "SELL"}
REFUSING = frozenset({*CODES, 201, 202})
CENT, BELOW_A_DOLLAR = Decimal("0.01"), Decimal("0.0001")


def order_for(ib_async: Any, request: OrderRequest, account_number: str) -> Any:
    """Return the order that is placed; our id goes with it as its reference."""
    buys = request.side == "BUY"
    order = ib_async.Order(
        action=request.side,
        totalQuantity=float(request.quantity),
        orderType=TYPES[request.type],
        tif=request.time_in_force.upper(),
        outsideRth=request.extended_hours,
        orderRef=request.client_order_id,
        account=account_number,
    )
    if request.limit_price is not None:
        order.lmtPrice = _on_grid(request.limit_price, ROUND_FLOOR if buys else ROUND_CEILING)
    if request.stop_price is not None:
        order.auxPrice = _on_grid(request.stop_price, ROUND_CEILING if buys else ROUND_FLOOR)
    return order


def _on_grid(price: Decimal, rounding: str) -> float:
    return float(price.quantize(CENT if price >= 1 else BELOW_A_DOLLAR, rounding=rounding))


def order_read(trade: Any, fills: Sequence[Any] = ()) -> BrokerOrder:
    """Return an order as the gateway tells it, with what its executions of today add."""
    order, status = trade.order, STATUSES[trade.orderStatus.status]
    filled = max(exact(trade.orderStatus.filled), exact(order.filledQuantity), executed(fills))
    # One that is done is told without its size.
    quantity = max(exact(order.totalQuantity), filled if status == BrokerOrderStatus.FILLED else Decimal(0))
    refusal = refusal_of(trade)
    if refusal is not None and status == BrokerOrderStatus.CANCELLED and not filled:
        status = BrokerOrderStatus.REJECTED
    if status == BrokerOrderStatus.WORKING and 0 < filled < quantity:
        status = BrokerOrderStatus.PARTIALLY_FILLED
    return BrokerOrder(
        client_order_id=order.orderRef,
        broker_order_id=str(order.permId),
        status=status,
        filled_quantity=filled,
        symbol=trade.contract.symbol,
        side=order.action,
        quantity=quantity if quantity > 0 else None,
        detail="" if refusal is None else refusal[0],
        reject_code=refusal[1] if refusal is not None and status == BrokerOrderStatus.REJECTED else "",
    )


def refusal_of(trade: Any) -> tuple[str, str] | None:
    """Return the sentence and the code with which the broker refused an order, None where it did not."""
    for entry in reversed(trade.log):
        if entry.errorCode in REFUSING and entry.errorCode != 202:
            return str(entry.message)[:200], reason_code(entry.errorCode, entry.message)
    return None


def reason_code(number: int, message: str) -> str:
    """Return a stable code for a refusal."""
    lower = message.lower()
    return CODES.get(number) or next((code for text, code in _REASONS if text in lower), "rejected")


def fills_read(fills: Iterable[Any]) -> list[FillReport | DoubtfulReport]:
    """Return the reports of executions, oldest first; one that cannot be read is handed over as doubtful.

    The broker's commission comes after its execution: until then a report tells none.
    """
    found = [_read(fill) for fill in fills]
    readable = [one for one in found if isinstance(one, FillReport)]
    doubtful = [one for one in found if isinstance(one, DoubtfulReport)]
    return [*sorted(readable, key=lambda one: (one.as_of, one.broker_fill_id)), *doubtful]


def _read(fill: Any) -> FillReport | DoubtfulReport:
    try:
        return _fill_report(fill)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as fault:
        return DoubtfulReport(repr(fill), f"{type(fault).__name__}: {fault}")


def _fill_report(fill: Any) -> FillReport:
    execution = fill.execution
    as_of = execution.time.astimezone(dt.UTC)
    return FillReport(
        cursor=as_of.isoformat(),
        broker_fill_id=execution_id(execution),
        client_order_id=execution.orderRef,
        quantity=exact(execution.shares),
        price=exact(execution.price),
        commission=_commission(fill),
        as_of=as_of,
        broker_order_id=str(execution.permId),
        symbol=fill.contract.symbol,
        side=SIDES[execution.side],
        currency=fill.contract.currency,
    )


def correction_of(before: Any, after: Any) -> DoubtfulReport | None:
    """Return what is told to people of an execution that the broker corrected; None where only its id changed."""
    if (before.shares, before.price) == (after.shares, after.price):
        return None
    said = f"{before.shares} at {before.price} to {after.shares} at {after.price}"
    why = f"Interactive Brokers corrected execution {execution_id(after)} from {said}: compare what is booked for it."
    return DoubtfulReport({"before": repr(before), "after": repr(after)}, why, code="corrected")


def execution_id(execution: Any) -> str:
    """Return the execution's id without its last part, which counts the broker's corrections of the same execution."""
    return str(execution.execId).rpartition(".")[0] or str(execution.execId)


def _commission(fill: Any) -> Decimal | None:
    report = fill.commissionReport
    if report is None or not report.execId:
        return None
    return exact(report.commission)


def executed(fills: Sequence[Any]) -> Decimal:
    """Return the shares of some executions together, each counted once."""
    once = {execution_id(fill.execution): exact(fill.execution.shares) for fill in fills}
    return sum(once.values(), Decimal(0))


def exact(value: Any) -> Decimal:
    """Return a number as it is written; what the broker left unset is zero."""
    if value is None or (isinstance(value, float) and value == sys.float_info.max):
        return Decimal(0)
    return Decimal(repr(value) if isinstance(value, float) else str(value))
