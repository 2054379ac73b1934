"""A small reader of the reference files: bars, corporate actions and the exchange's calendar."""

import csv
import json
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from volbal.strategy import Bars, Dividend, Split

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
DEMO = ROOT / "trading" / "demo_data"
GOLDEN = ROOT / "tests" / "golden"
EPOCH = date(1970, 1, 1).toordinal()
NEW_YORK = ZoneInfo("America/New_York")


def rows(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def data_path(name):
    """Find a data file of a golden input: the shipped demonstration data, else the reference data."""
    folder, _, file = name.partition("/")
    return DEMO / file if folder == "demo" else SHARED / "data" / name


def read_bars(name, symbol, calendar=None):
    table = rows(data_path(name))
    columns = {key: np.array([float(row[key]) for row in table]) for key in ("open", "high", "low", "close", "volume")}
    if "date" in table[0]:
        stamps = [date.fromisoformat(row["date"]).toordinal() - EPOCH for row in table]
        return Bars(stamps=np.array(stamps), symbol=symbol, **columns)
    moments = [datetime.fromisoformat(row["ts_utc"]) for row in table]
    sessions = {row["session"]: row for row in rows(data_path(calendar))}
    return Bars(
        stamps=np.array([int(moment.timestamp()) * 1_000_000_000 for moment in moments]),
        days=np.array([local_day(moment).toordinal() - EPOCH for moment in moments]),
        in_session=np.array([in_session(moment, sessions) for moment in moments]),
        symbol=symbol,
        resolution="intraday",
        **columns,
    )


def local_day(moment):
    return moment.astimezone(NEW_YORK).date()


def in_session(moment, sessions):
    session = sessions.get(local_day(moment).isoformat())
    if session is None:
        return False
    return datetime.fromisoformat(session["open_utc"]) <= moment < datetime.fromisoformat(session["close_utc"])


def read_dividends(name, symbol):
    return [
        Dividend(
            date.fromisoformat(row["ex_date"]),
            float(row["amount"]),
            date.fromisoformat(row["pay_date"]) if row.get("pay_date") else None,
        )
        for row in rows(data_path(name))
        if row["symbol"] == symbol
    ]


def read_splits(name, symbol):
    return [
        Split(date.fromisoformat(row["ex_date"]), float(row["ratio"]))
        for row in rows(data_path(name))
        if row["symbol"] == symbol
    ]


def read_case(path):
    """Return bars, parameters and options of a golden input, and what is expected."""
    case = json.loads(path.read_text())
    given = dict(case["input"])
    symbol = given.pop("symbol")
    bars = read_bars(given.pop("bars"), symbol, given.pop("calendar", None))
    parameters = given.pop("params", {})
    for name, reader in (("dividends", read_dividends), ("splits", read_splits)):
        if name in given:
            given[name] = reader(given[name], symbol)
    return bars, parameters, given, case
