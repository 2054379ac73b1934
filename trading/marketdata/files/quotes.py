"""Quotes in a file: one row each, good rows beside bad ones."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from trading.marketdata.files import columns
from trading.marketdata.files.problems import Problem, in_file_order
from trading.marketdata.files.tables import read_table


@dataclass(frozen=True, slots=True)
class FileQuote:
    """A row of a file. Prices are above 0, None where the file has none; times are aware."""

    line: int
    symbol: str
    as_of: dt.datetime
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    last_at: dt.datetime | None
    previous_close: Decimal | None


@dataclass(frozen=True, slots=True)
class FileQuotes:
    """What a file holds: the rows that can be read, and what is wrong with the others, in the file's order."""

    quotes: tuple[FileQuote, ...]
    problems: tuple[Problem, ...]
    unit: str


def read_quotes(path: Path) -> FileQuotes:
    """Read a CSV or Parquet file of quotes: `symbol`, `time` and any of `bid`, `ask`, `last`, `last_time`,
    `previous_close`.

    A row with something wrong is left out and named. Raises FileRefused where the file as a whole cannot be read.
    """
    table = read_table(path)
    table.require("symbol", "time")
    symbols, times = columns.texts(table, "symbol"), columns.optional_moments(table, "time", blank_allowed=False)
    bids, asks = columns.optional_prices(table, "bid"), columns.optional_prices(table, "ask")
    lasts, closes = columns.optional_prices(table, "last"), columns.optional_prices(table, "previous_close")
    last_times = columns.optional_moments(table, "last_time")
    for row, prices in enumerate(zip(bids, asks, lasts, strict=True)):
        if prices == (None, None, None):
            table.report(row, "bid, ask and last are blank", "at least one price")
    bad = {problem.line for problem in table.problems}
    quotes = [
        FileQuote(line, symbols[row], made, bids[row], asks[row], lasts[row], last_times[row], closes[row])
        for row, (line, made) in enumerate(zip(table.lines, times, strict=True))
        if line not in bad and made is not None
    ]
    return FileQuotes(tuple(quotes), tuple(in_file_order(table.problems)), table.unit)
