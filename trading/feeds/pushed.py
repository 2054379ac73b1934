"""Quotes that a tenant's brokers push to us (see `trading.services.quote_pushes`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from portfolios.models import Instrument
from trading.feeds.base import PriceQuote
from trading.feeds.known import quotes_known
from trading.feeds.sources import PUSHED, pushed_source


class PushedFeed:
    """The newest pushed quotes of one tenant. A quote may have two sides or a last trade only."""

    name = PUSHED
    is_synthetic = is_two_sided = is_remote = is_delayed = False

    def __init__(self, tenant_id: int) -> None:
        self.source = pushed_source(tenant_id)

    def quotes(self, instruments: Sequence[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        """Return what was pushed last."""
        return quotes_known(feed=self, instrument_ids=[instrument.pk for instrument in instruments])
