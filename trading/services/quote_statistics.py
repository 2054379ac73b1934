"""How wide and how old quotes were, by source, instrument and exchange day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from trading.models import QuoteStatistic
from trading.services.price_memory import Judged
from trading.services.reference_price import spread_bps
from volbal.common.bulk import rows_write


def statistics_add(*, judged: Iterable[Judged], moment: dt.datetime) -> None:
    """Count each look at a quote, at most one a second for each source and instrument; in one statement.

    Call it while the source is held: that keeps two portfolios on one source from counting at once.
    """
    looks = [one for one in judged if one.is_true and one.is_new_look]
    if not looks:
        return
    ages = [one.quote.age_seconds(moment) for one in looks]
    spreads = [spread_bps(one.quote.bid, one.quote.ask) for one in looks]
    widths = [0.0 if spread is None else spread for spread in spreads]
    rows_write(
        QuoteStatistic,
        {
            "source": [one.quote.source for one in looks],
            "instrument_id": [one.quote.instrument_id for one in looks],
            "day": [one.day for one in looks],
            "count": [1] * len(looks),
            "spread_count": [0 if spread is None else 1 for spread in spreads],
            "spread_bps_sum": widths,
            "spread_bps_max": widths,
            "age_seconds_sum": ages,
            "age_seconds_max": ages,
        },
        unique=["source", "instrument", "day"],
        add=["count", "spread_count", "spread_bps_sum", "age_seconds_sum"],
        largest=["spread_bps_max", "age_seconds_max"],
    )
