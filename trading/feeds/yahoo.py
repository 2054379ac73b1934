"""Yahoo's prices, which come late and without bid and ask. Needs requirements/yahoo.txt; imported on first use."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from portfolios.models import Instrument
from trading.feeds.base import FeedUnreachableError, PriceQuote
from volbal.common import numbers

if TYPE_CHECKING:
    import pandas as pd


class YahooFeed:
    """The last minute bar of each instrument, in one request. Delayed: with the usual limits nothing trades on it."""

    name = source = "yahoo"
    is_synthetic = is_two_sided = False
    is_remote = is_delayed = True

    def quotes(self, instruments: Sequence[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        """Return the newest close of each instrument that Yahoo knows, dated by the start of its minute.

        Raises FeedUnreachableError where the library is not installed.
        """
        asked = {_symbol(instrument): instrument.pk for instrument in instruments}
        frame = _library().download(
            list(asked), period="1d", interval="1m", auto_adjust=False, progress=False, threads=False
        )
        if frame is None or frame.empty:
            return []
        return list(_quotes(frame["Close"], asked, self.source, moment))


def _quotes(closes: pd.DataFrame, asked: dict[str, int], source: str, moment: dt.datetime) -> Iterator[PriceQuote]:
    for symbol, instrument_id in asked.items():
        known = closes[symbol].dropna() if symbol in closes.columns else None
        if known is None or known.empty:
            continue
        made = known.index[-1].to_pydatetime()
        yield PriceQuote(
            instrument_id=instrument_id,
            source=source,
            is_synthetic=False,
            last=numbers.price(float(known.iloc[-1])),
            as_of=made,
            received_at=moment,
            last_at=made,
        )


def _symbol(instrument: Instrument) -> str:
    """Return how Yahoo writes a symbol: a share class after a dash."""
    return instrument.symbol.upper().replace(".", "-")


def _library() -> Any:
    try:
        return importlib.import_module("yfinance")
    except ImportError as error:
        raise FeedUnreachableError(
            "yfinance is not installed; it comes with: pip install -r requirements/yahoo.txt"
        ) from error
