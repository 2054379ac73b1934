"""A feed that says what a test tells it to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from portfolios.models import Instrument
from trading.feeds.base import Feed, PriceQuote


@dataclass(slots=True)
class ScriptedFeed:
    """Give the last price set for each symbol, made at `quoted_at` or just now; `acts` runs first and may raise."""

    prices: dict[str, str] = field(default_factory=dict)
    quoted_at: dt.datetime | None = None
    acts: Callable[[], None] | None = None
    asked: int = 0
    name: str = "wire"
    source: str = "wire"
    is_synthetic: bool = False
    is_two_sided: bool = False
    is_remote: bool = False
    is_delayed: bool = False

    def quotes(self, instruments: Sequence[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        self.asked += 1
        if self.acts is not None:
            self.acts()
        return [
            PriceQuote(
                instrument_id=one.pk,
                source=self.source,
                is_synthetic=self.is_synthetic,
                last=Decimal(self.prices[one.symbol]),
                as_of=self.quoted_at or moment,
                received_at=moment,
            )
            for one in instruments
            if one.symbol in self.prices
        ]


_follows_the_protocol: type[Feed] = ScriptedFeed
