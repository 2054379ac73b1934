"""Dividends and splits in files: symbol, ex_date, amount or ratio, and pay_date where it is known."""

from __future__ import annotations

from pathlib import Path

from trading.marketdata.files import columns
from trading.marketdata.files.tables import Table, read_table
from volbal.strategy import Dividend, Split


def read_dividends(path: str | Path, symbol: str | None = None) -> dict[str, list[Dividend]]:
    """Read cash dividends a share by symbol, in date order; only one symbol's where it is given.

    Columns: symbol, ex_date, amount (currency a share, above 0), pay_date where known. Raises FileRefused with every
    problem of the file, rows of other symbols included.
    """
    table = read_table(path)
    table.require("symbol", "ex_date", "amount")
    symbols, ex_dates = columns.texts(table, "symbol"), columns.days(table, "ex_date")
    amounts = columns.numbers(table, "amount", above=0)
    known = "pay_date" in table.columns
    pay_dates = columns.days(table, "pay_date", blank_allowed=True) if known else [None] * len(symbols)
    _report_repeats(table, list(zip(symbols, ex_dates, amounts.tolist(), pay_dates, strict=True)))
    table.refuse_problems()
    found: dict[str, list[Dividend]] = {}
    for name, ex_date, amount, pay_date in zip(symbols, ex_dates, amounts.tolist(), pay_dates, strict=True):
        if ex_date is not None and symbol in (None, name):
            found.setdefault(name, []).append(Dividend(ex_date=ex_date, amount=amount, pay_date=pay_date))
    return {name: sorted(rows, key=lambda row: row.ex_date) for name, rows in found.items()}


def read_splits(path: str | Path, symbol: str | None = None) -> dict[str, list[Split]]:
    """Read splits by symbol, in date order; only one symbol's where it is given.

    Columns: symbol, ex_date, ratio (new shares for one old, above 0). Raises FileRefused as read_dividends does.
    """
    table = read_table(path)
    table.require("symbol", "ex_date", "ratio")
    symbols, ex_dates = columns.texts(table, "symbol"), columns.days(table, "ex_date")
    ratios = columns.numbers(table, "ratio", above=0)
    _report_repeats(table, list(zip(symbols, ex_dates, strict=True)))
    table.refuse_problems()
    found: dict[str, list[Split]] = {}
    for name, ex_date, ratio in zip(symbols, ex_dates, ratios.tolist(), strict=True):
        if ex_date is not None and symbol in (None, name):
            found.setdefault(name, []).append(Split(ex_date=ex_date, ratio=ratio))
    return {name: sorted(rows, key=lambda row: row.ex_date) for name, rows in found.items()}


def _report_repeats(table: Table, keys: list[tuple[object, ...]]) -> None:
    """Note rows that say again what an earlier row said: booked once, a share would be paid or split twice."""
    first: dict[tuple[object, ...], int] = {}
    for row, key in enumerate(keys):
        if key in first and None not in key[:2]:
            line = table.lines[first[key]]
            table.report(row, f"{key[0]} on {key[1]} repeats {table.unit} {line}", "each action once")
        first.setdefault(key, row)
