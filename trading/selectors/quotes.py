"""Quotes as pages show them, how they have been today, and which feeds are silent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from portfolios.models import Cell
from trading.feeds.sources import source_of
from trading.models import FeedStatus, Quote, QuoteStatistic
from trading.services.price_limits import PriceLimits, price_limits
from trading.services.reference_price import seconds_text, spread_bps
from volbal.common import clock
from volbal.common.templatetags.figures import words

DAYS = 30


@dataclass(frozen=True, slots=True)
class QuoteView:
    """The newest quote of a cell's source. `refusal` and `problem` say why nothing trades on it, in code and in words,
    both empty where it may; ages are in seconds."""

    price: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    age_seconds: float
    received_age_seconds: float
    last_age_seconds: float | None
    is_synthetic: bool
    spread_bps: float | None
    refusal: str
    problem: str

    @property
    def label(self) -> str:
        """Return the reason as a badge says it."""
        return {"price_quarantined": "Quarantined", "price_outlier": "Outlier", "stale_price": "Stale"}.get(
            self.refusal, words(self.refusal)
        )


@dataclass(frozen=True, slots=True)
class SilentFeed:
    """A feed that gives nothing while its exchanges are open."""

    source: str
    text: str


def quote_view(quote: Quote, *, moment: dt.datetime, is_replay: bool) -> QuoteView:
    """Return a stored quote as pages show it at the cell's present moment; one that grew old since it was judged is
    stale. A replay has its own time, and its quotes came when its clock said so."""
    limits = price_limits()
    refusal, problem = ("", "") if is_replay else (quote.refusal, quote.refusal_text)
    age = (moment - quote.as_of).total_seconds()
    if not is_replay and not refusal and age > limits.max_quote_age_seconds:
        refusal, problem = "stale_price", _old_text(age, limits)
    received = quote.as_of if is_replay else quote.received_at
    last_age = None if quote.last_at is None else max((moment - quote.last_at).total_seconds(), 0.0)
    return QuoteView(
        price=quote.price,
        bid=quote.bid,
        ask=quote.ask,
        last=quote.last,
        age_seconds=max(age, 0.0),
        received_age_seconds=max((moment - received).total_seconds(), 0.0),
        last_age_seconds=last_age,
        is_synthetic=quote.is_synthetic,
        spread_bps=spread_bps(quote.bid, quote.ask),
        refusal=refusal,
        problem=problem,
    )


def _old_text(age: float, limits: PriceLimits) -> str:
    return f"the newest quote is {seconds_text(age)} old and may be {seconds_text(limits.max_quote_age_seconds)}"


def quote_statistics(cell: Cell) -> list[QuoteStatistic]:
    """Return how wide and how old the quotes of a cell's source were on the last days they were looked at."""
    rows = QuoteStatistic.objects.filter(source=source_of(cell.portfolio), instrument=cell.instrument_id)
    return list(rows.order_by("-day")[:DAYS])


def silent_feeds(sources: Iterable[str]) -> list[SilentFeed]:
    """Return which of some sources are silent, in one query."""
    moment = clock.now()
    rows = FeedStatus.objects.filter(source__in=set(sources), silent_since__isnull=False).order_by("source")
    return [SilentFeed(row.source, _silent_text(row, moment)) for row in rows]


def _silent_text(row: FeedStatus, moment: dt.datetime) -> str:
    since = row.silent_since or moment
    error = f" Its last error: {row.error}" if row.errors_in_a_row else ""
    return (
        f"The feed {row.source} has given nothing new for {seconds_text((moment - since).total_seconds())}: "
        f"its cells do not trade.{error}"
    )
