"""Columns of a table as numbers, days and moments. What cannot be read is noted on the table, line by line."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING

from trading.marketdata.files.problems import Problem

if TYPE_CHECKING:
    import datetime as dt

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from trading.marketdata.files.tables import Table

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
PLAIN = re.compile(r"[0-9eE+.-]*")  # nothing in it that float() would read and we would not
DAY = r"\d{4}-\d{2}-\d{2}"
MOMENT = DAY + r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
ZONE = r"(Z|[+-]\d{2}:?\d{2})"
UNREADABLE = -(2**63)  # what NumPy gives for a time that is none
EXAMPLE = "for example 2014-06-09T13:30:00Z"


def numbers(
    table: Table, name: str, *, above: float | None = None, least: float | None = None, blank_allowed: bool = False
) -> NDArray[np.float64]:
    """Return a column as float64, exactly as written; NaN where a problem was noted, or where a blank is allowed."""
    import numpy as np

    cells = table.frame[name].tolist()
    values = _floats(cells)
    good = np.isfinite(values)
    if above is not None:
        good &= values > above
    if least is not None:
        good &= values >= least
    bound = f"a number above {above:g}" if above is not None else f"a number of at least {least:g}"
    for row in np.flatnonzero(~good).tolist():
        values[row] = np.nan
        if not _is_blank(cells[row]):
            table.report(row, f"{name} is {_shown(cells[row])}", bound)
        elif not blank_allowed:
            table.report(row, f"{name} is blank", bound)
    return values


def texts(table: Table, name: str) -> list[str]:
    """Return a column as stripped texts, noting blanks."""
    found = []
    for row, cell in enumerate(table.frame[name].tolist()):
        if _is_blank(cell):
            table.report(row, f"{name} is blank", "a text")
        found.append("" if _is_blank(cell) else str(cell).strip())
    return found


def days(table: Table, name: str, *, blank_allowed: bool = False) -> list[dt.date | None]:
    """Return a column of dates; None where a problem was noted, or where a blank is allowed."""
    import pandas as pd

    column = table.frame[name]
    cells = _as_text(column)
    right = cells.str.fullmatch(DAY)
    parsed = pd.to_datetime(cells.where(right), format="%Y-%m-%d", errors="coerce")
    found: list[dt.date | None] = []
    for row, (stamp, cell) in enumerate(zip(parsed.tolist(), column.tolist(), strict=True)):
        if not pd.isna(stamp):
            found.append(stamp.date())
            continue
        found.append(None)
        if not _is_blank(cell):
            table.report(row, f"{name} is {_shown(cell)}", "a date, for example 2014-06-09")
        elif not blank_allowed:
            table.report(row, f"{name} is blank", "a date, for example 2014-06-09")
    return found


def moments(table: Table, name: str) -> NDArray[np.int64]:
    """Return a column of aware times as UTC nanoseconds; UNREADABLE where a problem was noted (blank, naive)."""
    import numpy as np
    import pandas as pd

    column = table.frame[name]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        parsed = column.dt.tz_convert("UTC")
    elif pd.api.types.is_datetime64_dtype(column.dtype):
        table.problems.append(Problem(None, f"the times in {name} are naive", "times with a zone, UTC"))
        return np.full(len(column), UNREADABLE, np.int64)
    else:
        cells = _as_text(column)
        parsed = pd.to_datetime(
            cells.where(cells.str.fullmatch(MOMENT + ZONE)), format="ISO8601", utc=True, errors="coerce"
        )
        _report_moments(table, name, cells, parsed.isna().tolist())
        return _nanoseconds(parsed)
    _report_moments(table, name, _as_text(column), parsed.isna().tolist())
    return _nanoseconds(parsed)


def _report_moments(table: Table, name: str, cells: pd.Series[str], wrong: list[bool]) -> None:
    for row in (row for row, is_wrong in enumerate(wrong) if is_wrong):
        cell = cells.iloc[row]
        if cell == "":
            table.report(row, f"{name} is blank", f"a time with a zone, {EXAMPLE}")
        elif re.fullmatch(MOMENT, cell):
            table.report(row, f"{name} is {cell}, a naive time", f"a time with a zone, {EXAMPLE}")
        else:
            table.report(row, f"{name} is {_shown(cell)}", f"a time with a zone, {EXAMPLE}")


def _nanoseconds(parsed: pd.Series[pd.Timestamp]) -> NDArray[np.int64]:
    import numpy as np

    return parsed.dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype(np.int64)


def _as_text(column: pd.Series[str]) -> pd.Series[str]:
    """Return dates and times as ISO texts, texts as they stand, blanks as empty texts."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        whole_days = (column.dt.normalize() == column).all() and column.dt.tz is None
        return column.dt.strftime("%Y-%m-%d" if whole_days else "%Y-%m-%dT%H:%M:%S").fillna("")
    return column.map(lambda cell: "" if _is_blank(cell) else str(cell).strip()).astype(str)


def _floats(cells: list[object]) -> NDArray[np.float64]:
    """Return the float64 nearest to each cell; NaN where it is no number."""
    import numpy as np

    if all(type(cell) is str for cell in cells) and PLAIN.fullmatch("".join(cells)):  # type: ignore[arg-type]  # all texts
        try:
            return np.array([float(cell) for cell in cells])  # type: ignore[arg-type]  # all texts
        except ValueError:
            pass  # some cell is no number: read them one by one
    return np.array([_number(cell) for cell in cells], np.float64)


def _number(cell: object) -> float:
    """Return the float64 nearest to what is written, or NaN where it is no number."""
    if isinstance(cell, str):
        text = cell.strip()
        return float(text) if NUMBER.fullmatch(text) else math.nan
    if isinstance(cell, (Real, Decimal)) and not isinstance(cell, bool):
        return float(cell)
    return math.nan


def _is_blank(cell: object) -> bool:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return True
    return bool(cell != cell)  # NaN and NaT differ from themselves


def _shown(cell: object) -> str:
    text = str(cell).strip()
    return repr(text if len(text) <= 40 else text[:39] + "…") if isinstance(cell, str) else text
