"""Columns of a table as numbers, days and moments. What cannot be read is noted on the table, line by line."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from decimal import Decimal
from numbers import Real
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trading.marketdata.files.tables import Table
from volbal.common.numbers import price as exact_price

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
PLAIN = re.compile(r"[0-9eE+.-]*")  # nothing in it that float() would read and we would not
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?", re.ASCII)
ZONED = re.compile(MOMENT.pattern + r"(Z|[+-]\d{2}:?\d{2})", re.ASCII)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
UNREADABLE = -(2**63)  # stands for a moment or a day that could not be read
EXPECTED_DAY = "a date, for example 2014-06-09"
Value = TypeVar("Value")
EXPECTED_MOMENT = "a time with a zone, for example 2014-06-09T13:30:00Z"


def numbers(table: Table, name: str, *, above: float | None = None, least: float | None = None) -> NDArray[np.float64]:
    """Return a column as float64, exactly as written; NaN where a problem was noted."""
    cells = table.columns[name]
    values = _floats(cells)
    good = np.isfinite(values)
    if above is not None:
        good &= values > above
    if least is not None:
        good &= values >= least
    bound = f"a number above {above:g}" if above is not None else f"a number of at least {least:g}"
    for row in np.flatnonzero(~good).tolist():
        values[row] = np.nan
        table.report(row, f"{name} is {_shown(cells[row])}", bound)
    return values


def texts(table: Table, name: str) -> list[str]:
    """Return a column as stripped texts, noting blanks."""
    cells = table.columns[name]
    for row, cell in enumerate(cells):
        if _is_blank(cell):
            table.report(row, f"{name} is blank", "a text")
    return ["" if _is_blank(cell) else str(cell).strip() for cell in cells]


def days(table: Table, name: str, *, blank_allowed: bool = False) -> list[dt.date | None]:
    """Return a column of dates; None where a problem was noted, or where a blank is allowed."""
    cells = table.columns[name]
    found = [_day(cell) for cell in cells]
    for row, day in enumerate(found):
        if day is None and not (blank_allowed and _is_blank(cells[row])):
            table.report(row, f"{name} is {_shown(cells[row])}", EXPECTED_DAY)
    return found


def day_numbers(table: Table, name: str) -> NDArray[np.int64]:
    """Return a column of dates as days since 1970-01-01; UNREADABLE where a problem was noted."""
    epoch = EPOCH.date().toordinal()
    return np.array([UNREADABLE if day is None else day.toordinal() - epoch for day in days(table, name)], np.int64)


def moments(table: Table, name: str) -> NDArray[np.int64]:
    """Return a column of aware times as UTC nanoseconds; UNREADABLE where a problem was noted (blank, naive)."""
    cells = table.columns[name]
    found = [_moment(cell) for cell in cells]
    for row, moment in enumerate(found):
        if moment is None:
            naive = ", a naive time" if _is_naive(cells[row]) else ""
            table.report(row, f"{name} is {_shown(cells[row])}{naive}", EXPECTED_MOMENT)
    return np.array(
        [UNREADABLE if moment is None else (moment - EPOCH) // MICROSECOND * 1000 for moment in found], np.int64
    )


def optional_prices(table: Table, name: str) -> list[Decimal | None]:
    """Return a column of prices, to 1e-6; None for a blank, in a column that is not there, and where a problem was
    noted."""
    found: list[Decimal | None] = []
    for row, cell in enumerate(table.columns.get(name, [None] * len(table))):
        value = math.nan if _is_blank(cell) else _number(cell)
        is_price = 0.0 < value < math.inf
        if not is_price and not _is_blank(cell):
            table.report(row, f"{name} is {_shown(cell)}", "a number above 0")
        found.append(exact_price(value) if is_price else None)
    return found


def optional_moments(table: Table, name: str, *, blank_allowed: bool = True) -> list[dt.datetime | None]:
    """Return a column of aware times; None for a blank, in a column that is not there, and where a problem was
    noted."""
    cells = table.columns.get(name, [None] * len(table))
    found = [_moment(cell) for cell in cells]
    for row, moment in enumerate(found):
        if moment is None and not (blank_allowed and _is_blank(cells[row])):
            naive = ", a naive time" if _is_naive(cells[row]) else ""
            table.report(row, f"{name} is {_shown(cells[row])}{naive}", EXPECTED_MOMENT)
    return found


def _floats(cells: list[object]) -> NDArray[np.float64]:
    """Return the float64 nearest to each cell; NaN where it is no number."""
    written = [cell for cell in cells if isinstance(cell, str)]
    if len(written) == len(cells) and PLAIN.fullmatch("".join(written)):
        try:
            return np.array([float(cell) for cell in written])
        except ValueError:
            pass  # some cell is no number: read them one by one
    return np.array([_number(cell) for cell in cells], np.float64)


def _number(cell: object) -> float:
    if isinstance(cell, str):
        text = cell.strip()
        return float(text) if NUMBER.fullmatch(text) else math.nan
    if isinstance(cell, (Real, Decimal)) and not isinstance(cell, bool):
        return float(cell)
    return math.nan


def _day(cell: object) -> dt.date | None:
    """Return a date written as such, or held as a date or as midnight without a zone; None otherwise."""
    if _is_blank(cell):
        return None
    if isinstance(cell, str):
        return _parsed(dt.date.fromisoformat, cell.strip()) if DAY.fullmatch(cell.strip()) else None
    if isinstance(cell, dt.datetime):
        return cell.date() if cell.tzinfo is None and cell.time() == dt.time() else None
    return cell if isinstance(cell, dt.date) else None


def _moment(cell: object) -> dt.datetime | None:
    """Return an aware time; None where it is naive or none."""
    if _is_blank(cell):
        return None
    if isinstance(cell, str):
        return _parsed(dt.datetime.fromisoformat, cell.strip()) if ZONED.fullmatch(cell.strip()) else None
    return cell if isinstance(cell, dt.datetime) and cell.tzinfo is not None else None


def _parsed(read: Callable[[str], Value], text: str) -> Value | None:
    try:
        return read(text)
    except ValueError:
        return None


def _is_naive(cell: object) -> bool:
    if isinstance(cell, str):
        return MOMENT.fullmatch(cell.strip()) is not None
    return isinstance(cell, dt.datetime) and not _is_blank(cell)


def _is_blank(cell: object) -> bool:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return True
    return bool(cell != cell)  # NaN and NaT differ from themselves


def _shown(cell: object) -> str:
    if _is_blank(cell):
        return "blank"
    text = str(cell).strip()
    return repr(text if len(text) <= 40 else text[:39] + "…") if isinstance(cell, str) else text
