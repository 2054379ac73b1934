"""Asking feeds for quotes, and noticing when one says nothing: whatever a feed does, a tick goes on."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from portfolios.models import Instrument
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.feeds.asking import ask
from trading.feeds.base import Feed, PriceQuote
from trading.feeds.known import quotes_known
from trading.feeds.sources import tenant_of_source
from trading.marketdata.calendars import exchange_calendar
from trading.models import FeedStatus
from trading.services.price_limits import price_limits
from volbal.common.errors import Refused

ORIGIN = Origin(task="feeds")
# A feed that nobody asked for so long has not been silent meanwhile.
UNASKED = dt.timedelta(hours=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a question: when the newest quote was made, if there was any, and what went wrong, if it did."""

    moment: dt.datetime
    quoted_at: dt.datetime | None
    open_since: dt.datetime | None
    error: str = ""


def quotes_ask(*, feed: Feed, instruments: Sequence[Instrument], moment: dt.datetime) -> list[PriceQuote]:
    """Return a quote of each instrument: what the feed says now, else the newest that is known of its source.

    A feed that raises or hangs says nothing, which is kept with its status; an instrument it never gave a quote of is
    left out. Raises Refused where a source would change between real and invented prices.
    """
    wanted = {instrument.pk for instrument in instruments}
    if not wanted:
        return []
    error, said = "", []
    try:
        said = [quote for quote in ask(feed, instruments, moment) if quote.instrument_id in wanted]
    except Refused as refusal:
        error = str(refusal)
    except Exception as failure:  # a provider's library may raise anything, and no tick may end by it
        logger.warning("the feed %s failed: %s", feed.source, failure, exc_info=True)
        error = f"{type(failure).__name__}: {failure}"
    newest = max((quote.as_of for quote in said if quote.as_of.tzinfo is not None), default=None)
    feed_asked(feed=feed, answer=_Answer(moment, newest, _open_since(instruments, moment), error))
    missing = wanted - {quote.instrument_id for quote in said}
    return [*said, *quotes_known(feed=feed, instrument_ids=missing)]


def feed_asked(*, feed: Feed, answer: _Answer) -> FeedStatus:
    """Keep how a feed answered; once it is silent for longer than a quote may be old, and once it speaks again, an
    event says so. Raises Refused where its source would change between real and invented prices."""
    limit = dt.timedelta(seconds=price_limits().max_quote_age_seconds)
    with transaction.atomic():
        row = feed_status(feed=feed, moment=answer.moment)
        if answer.moment - row.asked_at > UNASKED:
            row.asking_since = answer.moment
        row.asked_at = max(row.asked_at, answer.moment)
        if answer.quoted_at is not None:
            # A quote from the future is refused elsewhere and must not hide a silence.
            row.quoted_at = max(row.quoted_at or answer.quoted_at, min(answer.quoted_at, answer.moment))
        row.errors_in_a_row = row.errors_in_a_row + 1 if answer.error else 0
        if answer.error:
            row.error, row.error_at = answer.error[:240], answer.moment
        _tell(row, answer, limit)
        row.save()
    return row


def feed_status(*, feed: Feed, moment: dt.datetime) -> FeedStatus:
    """Return the row of a feed, locked until the transaction ends, made where there is none."""
    made = {"is_synthetic": feed.is_synthetic, "is_delayed": feed.is_delayed, "asking_since": moment}
    rows = FeedStatus.objects.select_for_update(no_key=True)
    row = rows.filter(source=feed.source).first()
    if row is None:
        FeedStatus.objects.get_or_create(source=feed.source, defaults={**made, "asked_at": moment})
        row = rows.get(source=feed.source)
    if row.is_synthetic != feed.is_synthetic:
        raise Refused(
            f"The source {feed.source} would give both real and invented prices; its new quotes were not taken.",
            code="mixed_source",
            hint="Give invented prices a source of their own.",
        )
    return row


def _tell(row: FeedStatus, answer: _Answer, limit: dt.timedelta) -> None:
    if answer.open_since is not None:
        heard = max(row.quoted_at or row.asking_since, row.asking_since, answer.open_since)
        if row.silent_since is None and answer.moment - heard > limit:
            row.silent_since, row.told_at = heard, answer.moment
            _record("feed.silent", row, answer)
    is_fresh = answer.quoted_at is not None and answer.moment - answer.quoted_at <= limit
    if row.silent_since is not None and is_fresh:
        _record("feed.recovered", row, answer)
        row.silent_since = row.told_at = None


def _record(kind: str, row: FeedStatus, answer: _Answer) -> None:
    logger.warning("%s: %s", kind, row.source)
    event_record(
        kind=kind,
        subject=subject_of(row),
        origin=ORIGIN,
        tenant_id=tenant_of_source(row.source),
        after={
            "source": row.source,
            "silent_since": row.silent_since,
            "quoted_at": row.quoted_at,
            "error": answer.error,
        },
        as_of=answer.moment,
    )


def _open_since(instruments: Iterable[Instrument], moment: dt.datetime) -> dt.datetime | None:
    """Return when the first of the exchanges that are open now opened; None where all are closed."""
    opened = []
    for exchange in {instrument.exchange for instrument in instruments}:
        calendar = exchange_calendar(exchange)
        session = calendar.session(calendar.day_of(moment))
        if session is not None and session.open <= moment < session.close:
            opened.append(session.open)
    return min(opened, default=None)
