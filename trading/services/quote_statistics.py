"""How wide and how old quotes were, by source, instrument and exchange day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from trading.models import QuoteStatistic
from trading.services.price_memory import Judged
from trading.services.reference_price import spread_bps
from volbal.common.bulk import rows_write

_COLUMNS = ["count", "spread_count", "spread_bps_sum", "spread_bps_max", "age_seconds_sum", "age_seconds_max"]


def statistics_add(*, judged: Iterable[Judged], moment: dt.datetime) -> None:
    """Count each look at a quote, at most one a second for each source and instrument; in two statements.

    Call it while the source is held: that keeps two portfolios on one source from counting at once.
    """
    looks = [one for one in judged if one.is_true and one.is_new_look]
    if not looks:
        return
    known = {
        (row.source, row.instrument_id, row.day): row
        for row in QuoteStatistic.objects.filter(
            source__in={one.quote.source for one in looks},
            instrument__in={one.quote.instrument_id for one in looks},
            day__in={one.day for one in looks},
        ).order_by()
    }
    rows = []
    for one in looks:
        key = (one.quote.source, one.quote.instrument_id, one.day)
        row = known.get(key) or QuoteStatistic(source=key[0], instrument_id=key[1], day=key[2])
        _count(row, one, moment)
        rows.append(row)
    names = ("source", "instrument_id", "day", *_COLUMNS)
    rows_write(
        QuoteStatistic,
        {name: [getattr(row, name) for row in rows] for name in names},
        unique=["source", "instrument", "day"],
        update=_COLUMNS,
    )


def _count(row: QuoteStatistic, one: Judged, moment: dt.datetime) -> None:
    age = one.quote.age_seconds(moment)
    row.count += 1
    row.age_seconds_sum += age
    row.age_seconds_max = max(row.age_seconds_max, age)
    spread = spread_bps(one.quote.bid, one.quote.ask)
    if spread is not None:
        row.spread_count += 1
        row.spread_bps_sum += spread
        row.spread_bps_max = max(row.spread_bps_max, spread)
