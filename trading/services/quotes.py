"""The newest quotes, as they are kept for everyone to read."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from django.db.models import F

from trading.feeds.base import PriceQuote
from trading.models import FeedStatus, Quote
from volbal.common.bulk import rows_write
from volbal.common.errors import Refused
from volbal.strategy.codes import Reason

_REFUSAL_LENGTH = 240

logger = logging.getLogger(__name__)

_GIVEN = ["bid", "ask", "last", "last_at", "previous_close", "is_synthetic", "as_of", "received_at"]
_JUDGED = ["price", "reference", "refusal", "refusal_text"]


class JudgedPrice(Protocol):
    """What was made of a quote."""

    @property
    def price(self) -> Decimal: ...
    @property
    def accepted(self) -> Decimal: ...
    @property
    def refusal(self) -> Reason | None: ...
    @property
    def refusal_text(self) -> str: ...


def quotes_store(*, quotes: Sequence[PriceQuote], prices: Mapping[int, JudgedPrice]) -> None:
    """Keep the newest quote of each source and instrument with its price, in one statement.

    The order of rows is always the same, so that portfolios on the same prices wait for each other and never both."""
    if not quotes:
        return
    ordered = sorted(quotes, key=lambda one: (one.source, one.instrument_id))
    columns: dict[str, list[Any]] = {
        name: [getattr(quote, name) for quote in ordered] for name in ("source", "instrument_id", *_GIVEN)
    }
    judged = [prices[quote.instrument_id] for quote in ordered]
    columns["price"] = [one.accepted for one in judged]
    columns["reference"] = [one.price for one in judged]
    columns["refusal"] = [one.refusal or "" for one in judged]
    columns["refusal_text"] = [one.refusal_text for one in judged]
    rows_write(Quote, columns, unique=["source", "instrument"], update=[*_GIVEN, *_JUDGED])


def source_hold(*, quotes: Sequence[PriceQuote], problems: Mapping[int, str], moment: dt.datetime) -> None:
    """Hold a source until the transaction ends, so that its quotes are judged one look after the other; count what it
    gave and what of it was refused, with the last reason, logged too.

    Raises Refused where a source that gave real prices gives invented ones, or the reverse.
    """
    told = [
        f"{quote.source}, instrument {quote.instrument_id}: {problems[quote.instrument_id]}"
        for quote in quotes
        if problems[quote.instrument_id]
    ]
    for line in told:
        logger.warning("a quote was refused: %s", line)
    source, kinds = quotes[0].source, {quote.is_synthetic for quote in quotes}
    changes: dict[str, object] = {"quote_count": F("quote_count") + len(quotes) - len(told)}
    if told:
        changes |= {"refused_count": F("refused_count") + len(told), "refusal": told[-1][:_REFUSAL_LENGTH]}
    held = FeedStatus.objects.filter(source=source)
    if not held.update(**changes):
        made = {"is_synthetic": quotes[0].is_synthetic, "asking_since": moment, "asked_at": moment}
        FeedStatus.objects.get_or_create(source=source, defaults=made)
        held.update(**changes)
    if {quote.source for quote in quotes} != {source} or kinds != set(held.values_list("is_synthetic", flat=True)):
        raise Refused(
            f"The source {source} would give both real and invented prices; its new quotes were not kept.",
            code="mixed_source",
            hint="Give invented prices a source of their own.",
        )


def refusals_count(*, source: str, count: int, last: str) -> None:
    """Count quotes of a source that were refused before they could be judged, with the last one's reason."""
    FeedStatus.objects.filter(source=source).update(
        refused_count=F("refused_count") + count, refusal=last[:_REFUSAL_LENGTH]
    )
