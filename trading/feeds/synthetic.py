"""Invented prices from a seed, for development: the same seed and second always give the same price."""

from __future__ import annotations

import datetime as dt
import math
import zlib
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from django.conf import settings

from portfolios.models import Instrument
from trading.feeds.base import PriceQuote
from volbal.common import numbers

# A wave made of sines of unequal periods (seconds) wanders without drifting away and needs no history.
_PERIODS_SECONDS = (37, 61, 149, 397, 1021, 4099, 20011)
_SWING = 0.012


class SyntheticFeed:
    """Prices around 100 that swing by a few percent within minutes. Always labelled synthetic."""

    name = source = "synthetic"
    is_synthetic = is_two_sided = True
    is_remote = is_delayed = False

    def __init__(self, seed: int | None = None, spread_bps: float | None = None) -> None:
        self.seed = settings.SYNTHETIC_SEED if seed is None else seed
        self.spread_bps = settings.SYNTHETIC_SPREAD_BPS if spread_bps is None else spread_bps

    def quotes(self, instruments: Sequence[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        """Return a price made this second for every instrument, with a bid and an ask around it."""
        second = moment.replace(microsecond=0)
        return [self._quote(instrument, second, moment) for instrument in instruments]

    def _quote(self, instrument: Instrument, second: dt.datetime, moment: dt.datetime) -> PriceQuote:
        last = self._price(instrument.symbol, second)
        half = last * Decimal(str(self.spread_bps)) / 20_000
        return PriceQuote(
            instrument_id=instrument.pk,
            source=self.source,
            is_synthetic=True,
            last=last,
            last_at=second,
            bid=numbers.price(last - half),
            ask=numbers.price(last + half),
            previous_close=self._price(instrument.symbol, second.replace(hour=0, minute=0, second=0)),
            as_of=second,
            received_at=moment,
            is_two_sided=True,
        )

    def _price(self, symbol: str, second: dt.datetime) -> Decimal:
        random = np.random.default_rng((self.seed, zlib.crc32(symbol.encode())))
        phases = random.uniform(0.0, 2.0 * math.pi, len(_PERIODS_SECONDS))
        level = random.uniform(60.0, 180.0)
        turns = second.timestamp() / np.array(_PERIODS_SECONDS)
        swing = _SWING * float(np.sin(2.0 * math.pi * turns + phases).sum())
        return numbers.price(round(level * math.exp(swing), 2))
