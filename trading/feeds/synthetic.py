"""Invented prices from a seed, for development: the same seed and second always give the same price."""

from __future__ import annotations

import datetime as dt
import math
import zlib
from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from portfolios.models import Instrument
from trading.feeds.base import PriceQuote
from volbal.common import numbers

# A wave made of sines of unequal periods (seconds) wanders without drifting away and needs no history.
_PERIODS_SECONDS = (37, 61, 149, 397, 1021, 4099, 20011)
_SWING = 0.012


class SyntheticFeed:
    """Prices around 100 that swing by a few percent within minutes. Always labelled synthetic."""

    name = "synthetic"
    is_synthetic = True

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed

    def quotes(self, instruments: Iterable[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        """Return a price made this second for every instrument."""
        second = moment.replace(microsecond=0)
        return [
            PriceQuote(
                instrument_id=instrument.pk,
                source=self.name,
                is_synthetic=True,
                last=self._price(instrument.symbol, second),
                previous_close=self._price(instrument.symbol, second.replace(hour=0, minute=0, second=0)),
                as_of=second,
                received_at=moment,
            )
            for instrument in instruments
        ]

    def _price(self, symbol: str, second: dt.datetime) -> Decimal:
        random = np.random.default_rng((self.seed, zlib.crc32(symbol.encode())))
        phases = random.uniform(0.0, 2.0 * math.pi, len(_PERIODS_SECONDS))
        level = random.uniform(60.0, 180.0)
        turns = second.timestamp() / np.array(_PERIODS_SECONDS)
        swing = _SWING * float(np.sin(2.0 * math.pi * turns + phases).sum())
        return numbers.price(round(level * math.exp(swing), 2))
