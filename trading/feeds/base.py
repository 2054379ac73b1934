"""What every feed gives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from portfolios.models import Instrument
from trading.models import Quote
from volbal.common.bulk import rows_write


@dataclass(frozen=True, slots=True)
class PriceQuote:
    """A quote with its source, whether its prices are invented, and the moment they were made.

    Prices are currency a share and above 0, or None where the source has none. `as_of` is when the quote was made,
    `last_at` when the last trade was, None where the source does not tell them apart; all times are aware.
    """

    instrument_id: int
    source: str
    is_synthetic: bool
    last: Decimal
    as_of: dt.datetime
    received_at: dt.datetime
    bid: Decimal | None = None
    ask: Decimal | None = None
    previous_close: Decimal | None = None
    last_at: dt.datetime | None = None

    def age_seconds(self, moment: dt.datetime) -> float:
        """Return how old the price is at `moment`, in seconds; never negative."""
        return max((moment - self.as_of).total_seconds(), 0.0)


class Feed(Protocol):
    """A source of current prices."""

    name: str
    is_synthetic: bool

    def quotes(self, instruments: Iterable[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        """Return the newest quote of each instrument it knows, at the wall clock's `moment`."""


_COLUMNS = ["bid", "ask", "last", "previous_close", "is_synthetic", "as_of", "received_at"]


def quotes_store(quotes: Iterable[PriceQuote]) -> None:
    """Keep the newest quote of each source and instrument, in one statement.

    The order of rows is always the same, so that portfolios on the same prices wait for each other and never both.
    """
    ordered = sorted(quotes, key=lambda one: (one.source, one.instrument_id))
    rows_write(
        Quote,
        {name: [getattr(quote, name) for quote in ordered] for name in ("source", "instrument_id", *_COLUMNS)},
        unique=["source", "instrument"],
        update=_COLUMNS,
    )
