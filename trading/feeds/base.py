"""What every feed gives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from portfolios.models import Instrument


class FeedUnreachableError(Exception):
    """A feed gave no answer. The message says what happened, for the operator."""


@dataclass(frozen=True, slots=True)
class PriceQuote:
    """A quote with its source, whether its prices are invented, and the moment they were made.

    Prices are currency a share and above 0, or None where the source has none. `as_of` is when the quote was made,
    `last_at` when the last trade was, None where the source does not tell them apart; all times are aware.
    `is_two_sided` says that the source gives bid and ask, so that a missing one is a fault and no habit.
    """

    instrument_id: int
    source: str
    is_synthetic: bool
    last: Decimal | None
    as_of: dt.datetime
    received_at: dt.datetime
    bid: Decimal | None = None
    ask: Decimal | None = None
    previous_close: Decimal | None = None
    last_at: dt.datetime | None = None
    is_two_sided: bool = False

    def age_seconds(self, moment: dt.datetime) -> float:
        """Return how old the price is at `moment`, in seconds; never negative."""
        return max((moment - self.as_of).total_seconds(), 0.0)


class Feed(Protocol):
    """A source of current prices.

    `source` is the name its quotes carry. A feed with `is_remote` is asked in a thread of its own with a deadline and
    must not touch the database; the others answer from this installation itself. `is_delayed` marks prices that are
    late by the provider's own account.
    """

    name: str
    source: str
    is_synthetic: bool
    is_two_sided: bool
    is_remote: bool
    is_delayed: bool

    def quotes(self, instruments: Sequence[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        """Return the newest quote of each instrument it knows, at the wall clock's `moment`.

        Raises FeedUnreachableError where it gets no answer.
        """
