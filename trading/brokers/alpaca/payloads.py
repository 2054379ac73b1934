"""Alpaca's payloads as ours and the other way round. Each is read by alpaca-py's own models before we look at it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

from trading.brokers.base import (
    BrokerOrder,
    BrokerOrderStatus,
    CashKind,
    CashReport,
    FeeBasis,
    FillReport,
    OrderRequest,
)

CURRENCY = "USD"
_WORKING = "new accepted pending_new accepted_for_bidding held pending_review stopped suspended calculated done_for_day"
STATUSES: dict[str, BrokerOrderStatus] = {
    **dict.fromkeys([*_WORKING.split(), "pending_replace"], BrokerOrderStatus.WORKING),
    "partially_filled": BrokerOrderStatus.PARTIALLY_FILLED,
    "filled": BrokerOrderStatus.FILLED,
    "pending_cancel": BrokerOrderStatus.CANCELLING,
    "canceled": BrokerOrderStatus.CANCELLED,
    "replaced": BrokerOrderStatus.CANCELLED,
    "expired": BrokerOrderStatus.EXPIRED,
    "rejected": BrokerOrderStatus.REJECTED,
}
# Shares to the millionth are ours, prices to the cent from a dollar and to a hundredth of one below are Alpaca's.
CENT, BELOW_A_DOLLAR = Decimal("0.01"), Decimal("0.0001")
SIDES = {"buy": "BUY", "sell": "SELL"}
# A short sale is a sale.
FILL_SIDES = SIDES | {"sell_short": "SELL"}


# What moves cash besides fills, by Alpaca's types of activity; those that are not here are others.
CASH_KINDS: dict[str, CashKind] = {
    **dict.fromkeys(("FEE", "CFEE"), CashKind.FEE),
    "INT": CashKind.INTEREST,
    **dict.fromkeys(["DIV", "DIVCGL", "DIVCGS", "DIVNRA", "DIVROC", "DIVTXEX", "DIVWH"], CashKind.DIVIDEND),
    "CIL": CashKind.CASH_IN_LIEU,
    **dict.fromkeys(("CSD", "CSW", "JNLC", "ACATC"), CashKind.TRANSFER),
}
# Its regulatory fees: the SEC's on what was sold, FINRA's on shares sold, that of the audit trail on each fill.
FEE_BASES = {"REG": FeeBasis.SOLD_VALUE, "TAF": FeeBasis.SOLD_SHARES, "CAT": FeeBasis.FILLS}
DONE, ANNOUNCED = ("", "executed"), "pending"


class PayloadError(ValueError):
    """A payload is not what Alpaca publishes."""


def order_body(request: OrderRequest) -> dict[str, Any]:
    """Return what is posted to place an order."""
    body: dict[str, Any] = {
        "symbol": request.symbol,
        "qty": format(request.quantity.normalize(), "f"),
        "side": request.side.lower(),
        "type": request.type.value,
        "time_in_force": request.time_in_force.value,
        "client_order_id": request.client_order_id,
        "extended_hours": request.extended_hours,
    }
    buys = request.side == "BUY"
    if request.limit_price is not None:
        # On the grid, and never beyond what was asked.
        body["limit_price"] = _on_grid(request.limit_price, ROUND_FLOOR if buys else ROUND_CEILING)
    if request.stop_price is not None:
        # On the grid, and never set off before what was asked.
        body["stop_price"] = _on_grid(request.stop_price, ROUND_CEILING if buys else ROUND_FLOOR)
    return body


def _on_grid(price: Decimal, rounding: str) -> str:
    grid = CENT if price >= 1 else BELOW_A_DOLLAR
    return format(price.quantize(grid, rounding=rounding), "f")


def order_read(payload: Any) -> BrokerOrder:
    """Return an order. Raises PayloadError where it is not as alpaca-py's model has it."""
    from alpaca.trading.models import Order

    known = _read(Order, payload)
    return BrokerOrder(
        client_order_id=known.client_order_id,
        broker_order_id=str(known.id),
        status=STATUSES[known.status.value],
        filled_quantity=number(payload.get("filled_qty")),
        symbol=known.symbol or "",
        side=SIDES[known.side.value] if known.side is not None else "",
        quantity=number(payload.get("qty")),
        detail="replaced by another order" if known.status.value == "replaced" else "",
    )


def update_read(payload: Any) -> BrokerOrder:
    """Return the order that a message of the stream `trade_updates` is about, as it is now."""
    from alpaca.trading.models import TradeUpdate

    _read(TradeUpdate, payload)
    return order_read(payload["order"])


def fill_read(payload: Any, *, client_order_id: str, cursor: str) -> FillReport:
    """Return a fill from an account activity. What is no number stays none, for who books it to refuse.

    Only what is booked is read, so that a field that Alpaca adds or drops keeps no fill from us.
    """
    side = text_of(payload, "side")
    if side not in FILL_SIDES:
        raise PayloadError(f"side is {side!r}, expected one of {', '.join(FILL_SIDES)}")
    return FillReport(
        cursor=cursor,
        broker_fill_id=text_of(payload, "id"),
        client_order_id=client_order_id,
        quantity=_stated(payload.get("qty")),
        price=_stated(payload.get("price")),
        commission=None,
        as_of=moment_of(payload, "transaction_time"),
        broker_order_id=text_of(payload, "order_id"),
        symbol=str(payload.get("symbol", "")),
        side=FILL_SIDES[side],
        currency=CURRENCY,
    )


def cash_movement_read(payload: Any) -> CashReport | None:
    """Return what an activity that is no fill moved, None where it moved no cash or is only announced.

    Raises PayloadError where it is not as Alpaca publishes it, and where Alpaca corrected or took back what it did.
    """
    kind = text_of(payload, "activity_type")
    status, amount = str(payload.get("status") or ""), _stated(payload.get("net_amount"))
    if status == ANNOUNCED or amount == 0:
        return None
    if status not in DONE:
        raise PayloadError(f"its status is {status!r}: Alpaca corrected it or took it back")
    if not amount.is_finite():
        raise PayloadError(f"net_amount is {payload.get('net_amount')!r}, expected a number")
    day = _day_of(payload)
    description = str(payload.get("description") or "")
    sort = str(payload.get("activity_sub_type") or description.partition(" ")[0]).upper() if kind == "FEE" else ""
    return CashReport(
        broker_cash_id=text_of(payload, "id"),
        kind=CASH_KINDS.get(kind, CashKind.OTHER),
        code=f"{kind} {sort}".strip(),
        amount=amount,
        day=day,
        as_of=moment_of(payload, "created_at") if payload.get("created_at") else _end_of(day),
        currency=str(payload.get("currency") or CURRENCY),
        symbol=str(payload.get("symbol") or ""),
        description=description,
        basis=FEE_BASES.get(sort),
    )


def _day_of(payload: Mapping[str, Any]) -> dt.date:
    text = text_of(payload, "date")
    try:
        # Some are told as a day, some as its midnight.
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        raise PayloadError(f"date is {text!r}, expected a day") from None


def _end_of(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)


def text_of(payload: Any, name: str) -> str:
    """Return a text that a payload must have. Raises PayloadError where it has not."""
    value = payload.get(name) if isinstance(payload, Mapping) else None
    if not isinstance(value, str) or not value:
        raise PayloadError(f"{name} is {value!r}, expected a text")
    return value


def moment_of(payload: Any, name: str) -> dt.datetime:
    """Return a time that a payload must have. Raises PayloadError where it has not, or has it without a zone."""
    text = text_of(payload, name)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise PayloadError(f"{name} is {text!r}, expected a time") from None
    if moment.tzinfo is None:
        raise PayloadError(f"{name} is {text!r}, which has no zone")
    return moment.astimezone(dt.UTC)


def position_read(payload: Any) -> tuple[str, Decimal]:
    """Return a position's symbol and shares, below zero where it is short."""
    from alpaca.trading.models import Position

    position = _read(Position, payload)
    shares = number(payload["qty"])
    if shares is None:
        raise PayloadError(f"qty {payload['qty']!r} is no number")
    return position.symbol, -abs(shares) if position.side.value == "short" else shares


def cash_read(payload: Any) -> Decimal:
    """Return an account's cash."""
    from alpaca.trading.models import TradeAccount

    cash = number(_read(TradeAccount, payload).cash)
    if cash is None:
        raise PayloadError("an account without cash")
    return cash


def _stated(value: Any) -> Decimal:
    known = number(value)
    return Decimal("NaN") if known is None else known


def number(value: Any) -> Decimal | None:
    """Return a number exactly as it is written, None for none; what is neither is not a number (NaN)."""
    if value is None:
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal("NaN")


def _read(model: Any, payload: Any) -> Any:
    from pydantic import ValidationError

    if not isinstance(payload, Mapping):
        raise PayloadError(f"an answer of type {type(payload).__name__}, expected an object")
    try:
        return model(**payload)
    except ValidationError as fault:
        first = fault.errors()[0]
        raise PayloadError(f"{model.__name__}.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
