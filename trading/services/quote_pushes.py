"""Quotes pushed to us: each row is taken, ignored or refused by itself, with the reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from portfolios.models import Instrument, Tenant
from trading.feeds.base import PriceQuote
from trading.feeds.pushed import PushedFeed
from trading.models import PriceTrack
from trading.services.feed_asking import feed_status
from trading.services.price_limits import PriceLimits, price_limits
from trading.services.pricing import prices_judge
from trading.services.quote_checks import quote_problem
from trading.services.quotes import refusals_count
from trading.services.reference_price import seconds_text
from trading.services.wakes import quotes_wake
from volbal.common import clock


@dataclass(frozen=True, slots=True)
class PushedQuote:
    """A quote as it was pushed. Prices are currency a share, None where there is none; times are aware."""

    symbol: str
    as_of: dt.datetime
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    last_at: dt.datetime | None = None
    previous_close: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RefusedQuote:
    """A pushed row that was refused; `row` counts from 1."""

    row: int
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """What became of a push: rows taken, rows older than what was known, rows refused."""

    taken: int
    ignored: int
    refused: tuple[RefusedQuote, ...]


def quotes_push(*, tenant: Tenant, quotes: Sequence[PushedQuote]) -> PushOutcome:
    """Take pushed quotes as the prices of a tenant's feed `pushed`; the newest of a symbol wins.

    Nothing is raised for a bad row: it is refused with its reason and counted with the feed, the others are taken.
    Portfolios that tick on quotes are woken.
    """
    feed, moment, limits = PushedFeed(tenant.pk), clock.now(), price_limits()
    instruments = {row.symbol: row for row in Instrument.objects.filter(symbol__in={one.symbol for one in quotes})}
    good: list[PriceQuote] = []
    refused = []
    for number, pushed in enumerate(quotes, start=1):
        instrument = instruments.get(pushed.symbol)
        quote = None if instrument is None else _quote(pushed, instrument.pk, feed, moment)
        problem = "no instrument has this symbol" if quote is None else _problem(quote, moment, limits)
        if problem or quote is None:
            refused.append(RefusedQuote(number, pushed.symbol, problem))
        else:
            good.append(quote)
    newest = _newest(good, feed.source)
    _count(feed, refused, moment)
    if newest:
        prices_judge(quotes=newest, as_of=moment)
        quotes_wake(instrument_ids=[quote.instrument_id for quote in newest], source=feed.source)
    return PushOutcome(len(newest), len(good) - len(newest), tuple(refused))


def _quote(pushed: PushedQuote, instrument_id: int, feed: PushedFeed, moment: dt.datetime) -> PriceQuote:
    return PriceQuote(
        instrument_id=instrument_id,
        source=feed.source,
        is_synthetic=False,
        last=pushed.last,
        as_of=pushed.as_of,
        received_at=moment,
        bid=pushed.bid,
        ask=pushed.ask,
        previous_close=pushed.previous_close,
        last_at=pushed.last_at,
    )


def _problem(quote: PriceQuote, moment: dt.datetime, limits: PriceLimits) -> str:
    """Return why a pushed quote is refused: what no quote may be, crossed sides, and a clock that is off."""
    problem = quote_problem(quote, moment, limits)
    if problem:
        return problem
    if quote.bid is not None and quote.ask is not None and quote.bid > quote.ask:
        return f"its bid is {quote.bid} and its ask {quote.ask}; expected a bid not above the ask"
    age = (moment - quote.as_of).total_seconds()
    if age > limits.max_quote_age_seconds:
        return (
            f"it was made {seconds_text(age)} before it came, and at most "
            f"{seconds_text(limits.max_quote_age_seconds)} are allowed; is the sender's clock right?"
        )
    return ""


def _newest(good: Iterable[PriceQuote], source: str) -> list[PriceQuote]:
    """Return the newest quote of each instrument that is not older than what is known of it."""
    newest: dict[int, PriceQuote] = {}
    for quote in good:
        before = newest.get(quote.instrument_id)
        if before is None or quote.as_of >= before.as_of:
            newest[quote.instrument_id] = quote
    tracks = PriceTrack.objects.filter(source=source, instrument__in=newest).order_by()
    known = dict(tracks.values_list("instrument_id", "quoted_at"))
    return [one for key, one in newest.items() if key not in known or one.as_of >= known[key]]


def _count(feed: PushedFeed, refused: Sequence[RefusedQuote], moment: dt.datetime) -> None:
    with transaction.atomic():
        feed_status(feed=feed, moment=moment)
        if refused:
            last = refused[-1]
            told = f"row {last.row}, {last.symbol}: {last.reason}"
            refusals_count(source=feed.source, count=len(refused), last=told)
