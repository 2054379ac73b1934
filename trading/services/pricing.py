"""The price a cell is judged at, from a quote, and whether it may be traded on (strategy 9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from trading.feeds.base import PriceQuote
from volbal.strategy.codes import Reason

MAX_QUOTE_AGE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """An instrument's reference price at a tick; `refusal` says why nothing may trade on it, None where it may."""

    instrument_id: int
    price: Decimal
    source: str
    is_synthetic: bool
    as_of: dt.datetime
    age_seconds: float
    refusal: Reason | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    previous_close: Decimal | None = None


def market_prices(quotes: Iterable[PriceQuote], *, as_of: dt.datetime, is_replay: bool) -> dict[int, MarketPrice]:
    """Return the reference price of each quoted instrument, by its id.

    A replay is history, complete and accepted: nothing in it is refused.
    """
    prices = {}
    for quote in quotes:
        age = quote.age_seconds(as_of)
        prices[quote.instrument_id] = MarketPrice(
            instrument_id=quote.instrument_id,
            price=quote.last,
            source=quote.source,
            is_synthetic=quote.is_synthetic,
            as_of=quote.as_of,
            age_seconds=age,
            refusal=Reason.STALE_PRICE if not is_replay and age > MAX_QUOTE_AGE_SECONDS else None,
            bid=quote.bid,
            ask=quote.ask,
            previous_close=quote.previous_close,
        )
    return prices
