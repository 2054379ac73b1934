"""Alpaca's prices of the present: newest quote and trade of each instrument, in one question."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings

from portfolios.models import Instrument
from trading.brokers.alpaca.payloads import PayloadError, moment_of
from trading.feeds.base import FeedUnreachableError, PriceQuote
from trading.marketdata.alpaca_data import AlpacaData, DataUnreachableError
from volbal.common import numbers

SYMBOLS_A_QUESTION = 100

logger = logging.getLogger(__name__)


class AlpacaFeed:
    """Real prices with both sides, from the tape in `ALPACA_DATA_FEED`: `iex` for all, `sip` for subscribers."""

    name = source = "alpaca"
    is_synthetic = False
    is_two_sided = is_remote = True

    def __init__(self) -> None:
        # This tape comes a quarter of an hour late.
        self.is_delayed = settings.ALPACA_DATA_FEED == "delayed_sip"

    def quotes(self, instruments: Sequence[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        """Return the newest quote of each instrument that Alpaca knows; one that cannot be read is logged and left out.

        Raises FeedUnreachableError without an answer.
        """
        asked = {instrument.symbol.upper(): instrument.pk for instrument in instruments}
        told = snapshots(list(asked))
        quotes = (_readable(symbol, told.get(symbol), asked[symbol], moment) for symbol in asked)
        return [quote for quote in quotes if quote is not None]


def snapshots(symbols: Sequence[str]) -> dict[str, Any]:
    """Return what Alpaca tells of symbols, by symbol, a hundred in a question.

    Raises FeedUnreachableError without an answer.
    """
    found: dict[str, Any] = {}
    try:
        data = AlpacaData()
        for start in range(0, len(symbols), SYMBOLS_A_QUESTION):
            asked = ",".join(symbols[start : start + SYMBOLS_A_QUESTION])
            found |= data.get("/stocks/snapshots", {"symbols": asked, "feed": settings.ALPACA_DATA_FEED})
    except DataUnreachableError as silence:
        raise FeedUnreachableError(str(silence)) from None
    return found


def _readable(symbol: str, snapshot: Any, instrument_id: int, moment: dt.datetime) -> PriceQuote | None:
    if snapshot is None:
        return None
    try:
        return quote_read(snapshot, instrument_id, moment)
    except PayloadError as fault:
        logger.warning("Alpaca's snapshot of %s cannot be read: %s", symbol, fault)
        return None


def quote_read(snapshot: Any, instrument_id: int, moment: dt.datetime) -> PriceQuote | None:
    """Return a quote from a snapshot, None where it holds no price. Raises PayloadError where it is not Alpaca's.

    A side of 0 is how Alpaca says that nobody offers. `as_of` is the newer of quote and trade.
    """
    if not isinstance(snapshot, Mapping):
        raise PayloadError(f"a snapshot of type {type(snapshot).__name__}, expected an object")
    offered, traded, before = (_part(snapshot, name) for name in ("latestQuote", "latestTrade", "prevDailyBar"))
    moments = [moment_of(part, "t") for part in (offered, traded) if part]
    if not moments:
        return None
    return PriceQuote(
        instrument_id=instrument_id,
        source=AlpacaFeed.source,
        is_synthetic=False,
        last=price_of(traded, "p"),
        as_of=moment_of(offered, "t") if offered else max(moments),
        received_at=moment,
        bid=price_of(offered, "bp"),
        ask=price_of(offered, "ap"),
        previous_close=price_of(before, "c"),
        last_at=moment_of(traded, "t") if traded else None,
        is_two_sided=True,
    )


def _part(snapshot: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = snapshot.get(name)
    if part is None:
        return {}
    if not isinstance(part, Mapping):
        raise PayloadError(f"{name} is {part!r}, expected an object")
    return part


def price_of(part: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a price, None where there is none. Raises PayloadError where it is no number."""
    value = part.get(name)
    if value is None or value == 0:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise PayloadError(f"{name} is {value!r}, expected a price")
    return numbers.price(float(value))
