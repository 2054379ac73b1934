"""What a tick is told of prices: each quote judged, remembered and kept, shared by all portfolios (strategy 9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from trading.feeds.base import PriceQuote
from trading.models import PriceQuarantine
from trading.services.price_judgement import Verdict
from trading.services.price_limits import PriceLimits, price_limits
from trading.services.price_memory import Judged, quotes_judge, tracks_keep
from trading.services.quarantines import quarantine_text, quarantines_confirm, quarantines_keep
from trading.services.quote_checks import quote_problem
from trading.services.quote_statistics import statistics_add
from trading.services.quotes import quotes_store, source_hold
from trading.services.reference_price import moves_too_far, spread_bps
from volbal.common.clock import require_aware
from volbal.strategy.codes import Reason
from volbal.strategy.sentences import percent_text, price_text


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """An instrument's reference price at a tick.

    `refusal` says why nothing may trade on it, None where it may, and `refusal_text` says that with its numbers, as
    the rest of a sentence. `accepted` is what cells are valued at: the price itself, or the last one believed where
    this one is not. `spread_bps` is None where the quote has no two sides in order.
    """

    instrument_id: int
    price: Decimal
    source: str
    is_synthetic: bool
    as_of: dt.datetime
    age_seconds: float
    accepted: Decimal
    refusal: Reason | None = None
    refusal_text: str = ""
    bid: Decimal | None = None
    ask: Decimal | None = None
    previous_close: Decimal | None = None
    spread_bps: float | None = None

    @property
    def is_believed(self) -> bool:
        """Whether it may mark a cell: neither an outlier nor quarantined."""
        return self.price == self.accepted


def history_take(*, quotes: Iterable[PriceQuote], as_of: dt.datetime) -> dict[int, MarketPrice]:
    """Keep a replay's quotes and return each instrument's price by its id.

    A replay is history, complete and accepted: nothing in it is refused or remembered.
    """
    given = list(quotes)
    prices = history_prices(given, as_of)
    quotes_store(quotes=given, prices=prices)
    return prices


def history_prices(quotes: Iterable[PriceQuote], as_of: dt.datetime) -> dict[int, MarketPrice]:
    """Return each instrument's price in a replay by its id, and keep nothing."""
    return {quote.instrument_id: _accepted(quote, as_of) for quote in quotes}


def prices_judge(*, quotes: Iterable[PriceQuote], as_of: dt.datetime) -> dict[int, MarketPrice]:
    """Judge the newest quotes of one source, keep them, and return each instrument's price by its id.

    Judged and kept in a transaction of its own, for all instruments in a fixed number of statements; what the next
    portfolio on this source finds is the same. A quote older than the newest known changes nothing. Of a quote that
    cannot be true the last accepted price stands, as a stale one; where none was accepted yet it is left out.

    Raises Refused where a source gives invented prices after real ones, or the reverse.
    """
    given = list(quotes)
    return _judge(given, require_aware(as_of, "as_of"), price_limits()) if given else {}


def _judge(given: Sequence[PriceQuote], moment: dt.datetime, limits: PriceLimits) -> dict[int, MarketPrice]:
    problems = {quote.instrument_id: quote_problem(quote, moment, limits) for quote in given}
    with transaction.atomic():
        source_hold(quotes=given, problems=problems, moment=moment)
        judged = quotes_judge(given, problems, moment, limits)
        quarantines_confirm(judged=judged, moment=moment, limits=limits)
        statistics_add(judged=judged, moment=moment)
        quarantines_keep(judged=judged, limits=limits)
        tracks_keep(judged, moment)
        prices = {price.instrument_id: price for one in judged if (price := _price(one, moment, limits)) is not None}
        newest = [one.quote for one in judged if one.is_newest and one.quote.instrument_id in prices]
        quotes_store(quotes=newest, prices=prices)
    return prices


def _accepted(quote: PriceQuote, moment: dt.datetime) -> MarketPrice:
    """Return a price of history as it is. Raises ValueError where a bar has none."""
    if quote.last is None:
        raise ValueError(f"a replay has no price of instrument {quote.instrument_id} at {quote.as_of.isoformat()}")
    return MarketPrice(
        instrument_id=quote.instrument_id,
        price=quote.last,
        source=quote.source,
        is_synthetic=quote.is_synthetic,
        as_of=quote.as_of,
        age_seconds=quote.age_seconds(moment),
        accepted=quote.last,
        bid=quote.bid,
        ask=quote.ask,
        previous_close=quote.previous_close,
    )


def _price(one: Judged, moment: dt.datetime, limits: PriceLimits) -> MarketPrice | None:
    """Return what a tick is told; None where a refused quote has no accepted price before it."""
    quote, accepted = one.quote, one.track.accepted
    price = one.reference or accepted or (_any_price(quote) if one.is_true else None)
    if price is None:
        return None
    made = quote.as_of if one.is_true else one.track.accepted_at or moment
    refusal, text = _refusal(one, price, limits)
    return MarketPrice(
        instrument_id=quote.instrument_id,
        price=price,
        source=quote.source,
        is_synthetic=quote.is_synthetic,
        as_of=made,
        age_seconds=max((moment - made).total_seconds(), 0.0),
        accepted=price if accepted is None else accepted,
        refusal=refusal,
        refusal_text=text,
        bid=quote.bid if one.is_true else None,
        ask=quote.ask if one.is_true else None,
        previous_close=quote.previous_close if one.is_true else None,
        spread_bps=spread_bps(quote.bid, quote.ask) if one.is_true else None,
    )


def _any_price(quote: PriceQuote) -> Decimal | None:
    """Return some price to show before anything was accepted."""
    return quote.last or quote.bid or quote.ask


def _refusal(one: Judged, price: Decimal, limits: PriceLimits) -> tuple[Reason | None, str]:
    shown = price_text(float(price))
    if one.verdict is None:
        return Reason.STALE_PRICE, f"the price {shown} cannot be trusted: {one.problem}"
    if one.verdict is Verdict.QUARANTINED and one.base is not None:
        refused = one.track.quarantine is not None and one.track.quarantine.status == PriceQuarantine.Status.REFUSED
        until = "an operator refused it" if refused else "it waits for an operator or a second source"
        return Reason.PRICE_QUARANTINED, f"{quarantine_text(price, one.base, limits)}; {until}"
    if one.verdict is Verdict.OUTLIER and one.track.accepted is not None:
        return Reason.PRICE_OUTLIER, _outlier_text(price, one.track.accepted, one.track.sigma or 0.0, limits)
    return None, ""


def _outlier_text(price: Decimal, accepted: Decimal, sigma: float, limits: PriceLimits) -> str:
    distance = percent_text(abs(float(price / accepted) - 1.0))
    return (
        f"{price_text(float(price))} is {distance} from the last accepted price {price_text(float(accepted))}, "
        f"more than {limits.outlier_sigma:g} times the {sigma * 100:.3f} % it moves in a minute; "
        f"it is believed once three one-minute prices agree within {percent_text(limits.agreement_ratio)}"
    )


def needs_new_decision(*, decided_at: Decimal, now: Decimal) -> bool:
    """Return whether a price moved so far between decision and submission that it is decided again (strategy 9)."""
    return moves_too_far(decided_at, now, price_limits())
