"""A result at rest: days and trades as Parquet files, and what it was made from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import volbal.strategy
from optimization.documents import TRADE_FIELDS, trade_document
from optimization.models import Backtest
from optimization.series import daily_series
from volbal.strategy import Dividend, Result, Split

if TYPE_CHECKING:
    import pandas as pd

TRADE_COLUMNS = (*TRADE_FIELDS, "gain")


def days_content(result: Result) -> bytes:
    """Return the last mark of each day, beside the stock and the untouched mix, as Parquet."""
    return _parquet(daily_series(result).frame())


def trades_content(result: Result) -> bytes:
    """Return every trade as Parquet; `gain` is what a sell brought over its average cost, empty for a buy."""
    import pandas as pd

    rows = [{**trade_document(trade), "gain": trade.gain} for trade in result.trades]
    return _parquet(pd.DataFrame(rows, columns=list(TRADE_COLUMNS)))


def read_frame(backtest: Backtest, name: str) -> pd.DataFrame:
    """Return `days_file` or `trades_file` of a completed backtest as a table."""
    import pandas as pd

    with getattr(backtest, name).open("rb") as file:
        return pd.read_parquet(io.BytesIO(file.read()), engine="pyarrow")


@cache
def code_version() -> str:
    """Return the SHA-256 of every source of the rule: results of the same version and data are the same."""
    digest = hashlib.sha256()
    for path in sorted(Path(volbal.strategy.__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def actions_hash(dividends: Sequence[Dividend], splits: Sequence[Split]) -> str:
    """Return the SHA-256 of the corporate actions a run was made with."""
    lines = [repr(action) for action in (*dividends, *splits)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()
