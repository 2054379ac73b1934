"""Bars in files: date or ts_utc, open, high, low, close, volume, and symbol where one file holds several."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trading.marketdata.calendars import CalendarError, exchange_calendar
from trading.marketdata.files import columns
from trading.marketdata.files.problems import refuse_whole
from trading.marketdata.files.tables import Table, read_table
from volbal.strategy import Bars

PRICES = ("open", "high", "low", "close")


def read_bars(path: str | Path, *, symbol: str | None = None, exchange: str = "XNYS") -> Bars:
    """Read the bars of one symbol, prices as traded.

    A column `date` (session dates) makes them daily, `ts_utc` (bar start, with a zone) intraday: their days and
    sessions come from the calendar of `exchange`. `volume` may be missing and counts as 0; other columns are ignored.
    `symbol` chooses where a column of that name holds several, and names bars without one (else the file's name does).
    Raises FileRefused with every problem found.
    """
    table = read_table(path)
    intraday = "ts_utc" in table.columns
    table.require("ts_utc" if intraday else "date", *PRICES)
    name = _choose_symbol(table, symbol)
    stamps = columns.moments(table, "ts_utc") if intraday else columns.day_numbers(table, "date")
    prices = {column: columns.numbers(table, column, above=0) for column in PRICES}
    _report_order(table, stamps, intraday=intraday)
    _report_crossed(table, prices)
    volume = _volume(table)
    table.refuse_problems()
    four = (prices["open"], prices["high"], prices["low"], prices["close"])
    if not intraday:
        return Bars(stamps, *four, volume, symbol=name, resolution="daily")
    days, in_session = _days_and_sessions(table, stamps, exchange)
    return Bars(stamps, *four, volume, days, in_session, symbol=name, resolution="intraday")


def write_bars(bars: Bars, path: str | Path) -> None:
    """Write bars as Parquet, so that read_bars gives the same ones back. Replaces the file as one step."""
    target = Path(path)
    beside = target.with_name(f".{target.name}.writing")
    try:
        beside.write_bytes(bars_as_parquet(bars))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def bars_as_parquet(bars: Bars) -> bytes:
    """Return bars as the content of a Parquet file; the same bars always give the same bytes."""
    import pandas as pd

    frame = pd.DataFrame({"symbol": bars.symbol}, index=range(len(bars.close)))
    if bars.resolution == "daily":
        frame["date"] = pd.to_datetime(bars.days, unit="D").strftime("%Y-%m-%d")
    else:
        frame["ts_utc"] = pd.to_datetime(bars.stamps, unit="ns", utc=True)
    for column in (*PRICES, "volume"):
        frame[column] = getattr(bars, column)
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def _choose_symbol(table: Table, symbol: str | None) -> str:
    """Keep the rows of one symbol; say which there are where the choice is missing or unknown."""
    if "symbol" not in table.columns:
        return Path(table.path).stem if symbol is None else symbol
    names = columns.texts(table, "symbol")
    table.refuse_problems()
    known = sorted(set(names))
    listed = ", ".join(known[:10]) + (" …" if len(known) > 10 else "")
    if symbol is None and len(known) > 1:
        raise refuse_whole(table.path, f"{len(known)} symbols and none chosen", f"one of {listed}, chosen by symbol")
    if symbol is not None and symbol not in known:
        raise refuse_whole(table.path, f"no rows of the unknown symbol {symbol!r}", f"one of {listed}")
    chosen = known[0] if symbol is None else symbol
    table.keep([name == chosen for name in names])
    return chosen


def _report_order(table: Table, stamps: NDArray[np.int64], *, intraday: bool) -> None:
    """Note stamps that repeat or go back, against the last readable one before."""
    name = "ts_utc" if intraday else "date"
    shown = table.columns[name]
    before: int | None = None
    for row, stamp in enumerate(stamps.tolist()):
        if stamp == columns.UNREADABLE:
            continue
        if before is not None and stamp <= stamps[before]:
            what = "repeats" if stamp == stamps[before] else "is before"
            earlier = f"{table.unit} {table.lines[before]} ({shown[before]})"
            table.report(row, f"{name} {shown[row]} {what} {earlier}", "stamps in rising order, each once")
        before = row


def _report_crossed(table: Table, prices: dict[str, NDArray[np.float64]]) -> None:
    for row in np.flatnonzero(prices["high"] < prices["low"]).tolist():
        high, low = prices["high"][row], prices["low"][row]
        table.report(row, f"high {high:g} is below low {low:g}", "high at least low")


def _volume(table: Table) -> NDArray[np.float64]:
    if "volume" not in table.columns:
        return np.zeros(len(table))
    return columns.numbers(table, "volume", least=0)


def _days_and_sessions(
    table: Table, stamps: NDArray[np.int64], exchange: str
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    try:
        return exchange_calendar(exchange).days_and_sessions(stamps)
    except CalendarError as error:
        raise refuse_whole(table.path, error.message.rstrip("."), "times the exchange's calendar covers") from None
