"""Payloads as Alpaca publishes them: numbers as texts, times with zone, every field of its documentation."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

ACCOUNT_ID = "904837e3-3b76-47ec-b432-046db621571b"
EASTERN = dt.timezone(dt.timedelta(hours=-5))


def text(number: Decimal | int | str) -> str:
    return format(Decimal(number).normalize(), "f")


def moment(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def order(body: dict[str, Any], at: dt.datetime) -> dict[str, Any]:
    """Return an order as it is answered when it was just posted."""
    return {
        "id": str(uuid.uuid4()),
        "client_order_id": body.get("client_order_id") or str(uuid.uuid4()),
        "created_at": moment(at),
        "updated_at": moment(at),
        "submitted_at": moment(at),
        "filled_at": None,
        "expired_at": None,
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, body["symbol"])),
        "symbol": body["symbol"],
        "asset_class": "us_equity",
        "notional": None,
        "qty": body["qty"],
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "",
        "order_type": body["type"],
        "type": body["type"],
        "side": body["side"],
        "time_in_force": body["time_in_force"],
        "limit_price": body.get("limit_price"),
        "stop_price": body.get("stop_price"),
        "status": "accepted",
        "extended_hours": body.get("extended_hours", False),
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
        "expires_at": moment(at + dt.timedelta(hours=8)),
    }


def fill_activity(placed: dict[str, Any], quantity: Decimal, price: Decimal, at: dt.datetime) -> dict[str, Any]:
    """Return the activity of a fill; its id begins with the exchange's time, as Alpaca's do."""
    done = Decimal(placed["filled_qty"])
    left = Decimal(placed["qty"]) - done
    stamp = at.astimezone(EASTERN).strftime("%Y%m%d%H%M%S") + f"{at.microsecond // 1000:03d}"
    return {
        "id": f"{stamp}::{uuid.uuid4()}",
        "activity_type": "FILL",
        "account_id": ACCOUNT_ID,
        "transaction_time": moment(at),
        "type": "fill" if left <= 0 else "partial_fill",
        "price": text(price),
        "qty": text(quantity),
        "side": placed["side"],
        "symbol": placed["symbol"],
        "leaves_qty": text(max(left, Decimal(0))),
        "order_id": placed["id"],
        "cum_qty": text(done),
        "order_status": placed["status"],
    }


def cash_activity(
    kind: str, amount: Decimal | str, day: dt.date, at: dt.datetime, description: str = "", **more: Any
) -> dict[str, Any]:
    """Return an activity that is no fill; its id begins with its day, whenever it was made."""
    return {
        "id": f"{day:%Y%m%d}000000000::{uuid.uuid4()}",
        "account_id": ACCOUNT_ID,
        "activity_type": kind,
        "date": day.isoformat(),
        "created_at": moment(at),
        "net_amount": str(amount),
        "description": description,
        "status": "executed",
        "currency": "USD",
        **more,
    }


def trade_update(event: str, placed: dict[str, Any], at: dt.datetime, **more: Any) -> dict[str, Any]:
    """Return a message of the stream `trade_updates`."""
    return {
        "stream": "trade_updates",
        "data": {
            "event": event,
            "execution_id": str(uuid.uuid4()),
            "order": dict(placed),
            "timestamp": moment(at),
            **more,
        },
    }


def account(cash: Decimal) -> dict[str, Any]:
    return {
        "id": ACCOUNT_ID,
        "account_number": "PA0000000001",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "buying_power": text(max(cash, Decimal(0))),
        "regt_buying_power": text(max(cash, Decimal(0))),
        "non_marginable_buying_power": text(max(cash, Decimal(0))),
        "cash": text(cash),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "portfolio_value": text(cash),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "created_at": "2024-01-02T14:30:00.000000Z",
        "trade_suspended_by_user": False,
        "multiplier": "1",
        "shorting_enabled": False,
        "equity": text(cash),
        "last_equity": text(cash),
        "long_market_value": "0",
        "short_market_value": "0",
        "initial_margin": "0",
        "maintenance_margin": "0",
        "last_maintenance_margin": "0",
        "sma": "0",
    }


def position(symbol: str, shares: Decimal, price: Decimal = Decimal(100)) -> dict[str, Any]:
    worth = text(shares * price)
    return {
        "asset_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, symbol)),
        "symbol": symbol,
        "exchange": "NYSE",
        "asset_class": "us_equity",
        "asset_marginable": True,
        "avg_entry_price": text(price),
        "qty": text(shares),
        "qty_available": text(shares),
        "side": "short" if shares < 0 else "long",
        "market_value": worth,
        "cost_basis": worth,
        "unrealized_pl": "0",
        "unrealized_plpc": "0",
        "unrealized_intraday_pl": "0",
        "unrealized_intraday_plpc": "0",
        "current_price": text(price),
        "lastday_price": text(price),
        "change_today": "0",
    }


def asset(symbol: str, *, tradable: bool = True, fractionable: bool = True) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, symbol)),
        "class": "us_equity",
        "exchange": "NYSE",
        "symbol": symbol,
        "name": f"{symbol} Inc. Common Stock",
        "status": "active",
        "tradable": tradable,
        "marginable": True,
        "maintenance_margin_requirement": 30,
        "shortable": True,
        "easy_to_borrow": True,
        "fractionable": fractionable,
        "attributes": [],
    }


def clock(at: dt.datetime) -> dict[str, Any]:
    return {
        "timestamp": at.astimezone(EASTERN).isoformat(),
        "is_open": True,
        "next_open": (at + dt.timedelta(hours=18)).astimezone(EASTERN).isoformat(),
        "next_close": (at + dt.timedelta(hours=4)).astimezone(EASTERN).isoformat(),
    }


def quote(bid: str, ask: str, at: dt.datetime) -> dict[str, Any]:
    offered = {"ax": "V", "ap": float(ask), "as": 3}
    return {"t": moment(at), **offered, "bx": "V", "bp": float(bid), "bs": 2, "c": ["R"], "z": "A"}


def trade(price: str, at: dt.datetime) -> dict[str, Any]:
    return {"t": moment(at), "x": "V", "p": float(price), "s": 100, "c": ["@"], "i": 5299, "z": "A"}


def bar(at: dt.datetime, close: str) -> dict[str, Any]:
    price = float(close)
    return {"t": moment(at), "o": price, "h": price + 1, "l": price - 1, "c": price, "v": 1000, "n": 10, "vw": price}


def snapshot(bid: str, ask: str, last: str, previous_close: str, at: dt.datetime) -> dict[str, Any]:
    return {
        "latestTrade": trade(last, at),
        "latestQuote": quote(bid, ask, at),
        "minuteBar": bar(at, last),
        "dailyBar": bar(at, last),
        "prevDailyBar": bar(at - dt.timedelta(days=1), previous_close),
    }


def cash_dividend(symbol: str, rate: float, ex_date: str, payable_date: str | None) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "symbol": symbol,
        "cusip": "459200101",
        "rate": rate,
        "special": False,
        "foreign": False,
        "process_date": payable_date or ex_date,
        "ex_date": ex_date,
        "record_date": ex_date,
        "payable_date": payable_date,
    }


def forward_split(symbol: str, new_rate: float, old_rate: float, ex_date: str) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "symbol": symbol,
        "cusip": "459200101",
        "new_rate": new_rate,
        "old_rate": old_rate,
        "process_date": ex_date,
        "ex_date": ex_date,
        "record_date": ex_date,
        "payable_date": ex_date,
    }


def reverse_split(symbol: str, new_rate: float, old_rate: float, ex_date: str) -> dict[str, Any]:
    made = forward_split(symbol, new_rate, old_rate, ex_date)
    del made["cusip"]
    return made | {"old_cusip": "459200101", "new_cusip": "459200102"}
