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


@dataclass(frozen=True, slots=True)
class QuoteView:
    """The newest quote of a cell's source. `refusal` and `problem` say why nothing trades on it, in code and in words,
    both empty where it may; ages are in seconds."""

    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    last_age_seconds: float | None
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


def quote_view(quote: Quote, *, is_replay: bool) -> QuoteView:
    """Return a stored quote as pages show it now: one that grew old since it was judged is stale."""
    moment, limits = clock.now(), price_limits()
    refusal, problem = ("", "") if is_replay else (quote.refusal, quote.refusal_text)
    age = (moment - quote.as_of).total_seconds()
    if not is_replay and not refusal and age > limits.max_quote_age_seconds:
        refusal, problem = "stale_price", _old_text(age, limits)
    last_age = None if quote.last_at is None else max((moment - quote.last_at).total_seconds(), 0.0)
    return QuoteView(
        bid=quote.bid,
        ask=quote.ask,
        last=quote.last,
        last_age_seconds=last_age,
        spread_bps=spread_bps(quote.bid, quote.ask),
        refusal=refusal,
        problem=problem,
    )


def _old_text(age: float, limits: PriceLimits) -> str:
    return f"the newest quote is {seconds_text(age)} old and may be {seconds_text(limits.max_quote_age_seconds)}"


def quote_statistic(cell: Cell) -> QuoteStatistic | None:
    """Return how wide and how old the quotes of a cell's source were on the newest day they were looked at."""
    rows = QuoteStatistic.objects.filter(source=source_of(cell.portfolio), instrument=cell.instrument_id)
    return rows.order_by("-day").first()


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
