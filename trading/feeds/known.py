"""The newest quotes that are stored of a source, as a feed would say them."""

from __future__ import annotations

from collections.abc import Iterable

from trading.feeds.base import Feed, PriceQuote
from trading.models import Quote


def quotes_known(*, feed: Feed, instrument_ids: Iterable[int]) -> list[PriceQuote]:
    """Return the newest stored quotes of a feed's source, in one query; none is asked for where none is wanted."""
    wanted = list(instrument_ids)
    if not wanted:
        return []
    return [
        PriceQuote(
            instrument_id=row.instrument_id,
            source=row.source,
            is_synthetic=row.is_synthetic,
            last=row.last,
            as_of=row.as_of,
            received_at=row.received_at,
            bid=row.bid,
            ask=row.ask,
            previous_close=row.previous_close,
            last_at=row.last_at,
            is_two_sided=feed.is_two_sided,
        )
        for row in Quote.objects.filter(source=feed.source, instrument__in=wanted)
    ]
