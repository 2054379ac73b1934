"""Alpaca's past: bars as traded, dividends and splits of a symbol."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import numpy as np

from trading.brokers.alpaca.payloads import PayloadError, moment_of, text_of
from trading.marketdata.alpaca_data import AlpacaData, DataUnreachableError
from trading.marketdata.calendars import exchange_calendar
from volbal.strategy import Bars, Dividend, Split

# The consolidated tape is everyone's once it is a quarter of an hour old.
TAPE = "sip"
BARS_A_PAGE, ACTIONS_A_PAGE = 10_000, 1_000
TIMEFRAMES = {"daily": "1Day", "minute": "1Min"}
COLUMNS = ("o", "h", "l", "c", "v")
NANOSECONDS = 1_000
EPOCH = dt.date(1970, 1, 1)


class AlpacaHistory:
    """Read a symbol's past, page by page. Dates are the exchange's, both included.

    Every method raises DataUnreachableError without an answer, or with one that cannot be read.
    """

    name = "alpaca"

    def __init__(self) -> None:
        self._data = AlpacaData()

    def bars(
        self,
        symbol: str,
        start: dt.date,
        end: dt.date,
        resolution: Literal["daily", "minute"],
        *,
        exchange: str = "XNYS",
    ) -> Bars | None:
        """Return bars with prices as traded, None where there are none between the dates."""
        asked = {
            "symbols": symbol,
            "timeframe": TIMEFRAMES[resolution],
            "start": start.isoformat(),
            "end": (end + dt.timedelta(days=1)).isoformat(),
            "adjustment": "raw",
            "feed": TAPE,
            "sort": "asc",
            "limit": BARS_A_PAGE,
        }
        rows = [row for page in self._data.pages("/stocks/bars", asked) for row in _listed(page, "bars", symbol)]
        calendar = exchange_calendar(exchange)
        try:
            moments = [moment_of(row, "t") for row in rows]
            days = [calendar.day_of(moment) for moment in moments]
            kept = [place for place, day in enumerate(days) if start <= day <= end]
            if not kept:
                return None
            opened, high, low, close, volume = (
                np.array([_number(rows[place], name) for place in kept]) for name in COLUMNS
            )
        except PayloadError as fault:
            raise DataUnreachableError(f"A bar of {symbol} cannot be read: {fault}") from None
        if resolution == "daily":
            stamps = np.array([(days[place] - EPOCH).days for place in kept], dtype=np.int64)
            return Bars(stamps, opened, high, low, close, volume, symbol=symbol, resolution="daily")
        stamps = np.array([_stamp(moments[place]) for place in kept], dtype=np.int64)
        inside = calendar.days_and_sessions(stamps)
        return Bars(stamps, opened, high, low, close, volume, *inside, symbol=symbol, resolution="intraday")

    def dividends(self, symbol: str, start: dt.date, end: dt.date) -> list[Dividend]:
        """Return cash dividends a share by ex-date, several of one date as they were announced."""
        rows = self._actions(symbol, start, end, {"cash_dividends": "cash_dividend"})
        found = [Dividend(_date(row, "ex_date"), _number(row, "rate"), _paid(row)) for row in rows]
        return sorted(found, key=lambda one: one.ex_date)

    def splits(self, symbol: str, start: dt.date, end: dt.date) -> list[Split]:
        """Return splits by date, both ways: new shares for one old."""
        rows = self._actions(symbol, start, end, {"forward_splits": "forward_split", "reverse_splits": "reverse_split"})
        found = [Split(_date(row, "ex_date"), _number(row, "new_rate") / _number(row, "old_rate")) for row in rows]
        return sorted(found, key=lambda one: one.ex_date)

    def _actions(self, symbol: str, start: dt.date, end: dt.date, kinds: dict[str, str]) -> list[dict[str, Any]]:
        asked = {
            "symbols": symbol,
            "types": ",".join(kinds.values()),
            "start": start.isoformat(),
            "end": end.isoformat(),
            "limit": ACTIONS_A_PAGE,
            "sort": "asc",
        }
        pages = self._data.pages("/corporate-actions", asked, version="v1")
        rows = [row for page in pages for kind in kinds for row in _listed(page, "corporate_actions", kind)]
        try:
            for row in rows:
                _check_action(row)
        except PayloadError as fault:
            raise DataUnreachableError(f"A corporate action of {symbol} cannot be read: {fault}") from None
        return [row for row in rows if row["symbol"] == symbol and start <= _date(row, "ex_date") <= end]


def _listed(page: dict[str, Any], part: str, name: str) -> list[Any]:
    found = page.get(part) or {}
    rows = found.get(name) or [] if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise DataUnreachableError(f"Alpaca's {part} are not as it publishes them.")
    return rows


def _check_action(row: Any) -> None:
    text_of(row, "symbol")
    _date(row, "ex_date")
    _paid(row)
    for name in ("rate", "new_rate", "old_rate"):
        if name in row and _number(row, name) <= 0:
            raise PayloadError(f"{name} is {row[name]!r}, expected above 0")


def _number(row: Any, name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PayloadError(f"{name} is {value!r}, expected a number")
    return float(value)


def _date(row: Any, name: str) -> dt.date:
    text = text_of(row, name)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise PayloadError(f"{name} is {text!r}, expected a date") from None


def _paid(row: Any) -> dt.date | None:
    return _date(row, "payable_date") if row.get("payable_date") else None


def _stamp(moment: dt.datetime) -> int:
    return int((moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1)) * NANOSECONDS
