"""The price a cell is judged at, from one quote (strategy 9). Pure: no database, no clock."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from trading.feeds.base import PriceQuote
from trading.services.price_limits import PriceLimits
from volbal.common import numbers

BPS = Decimal(10_000)
_TWO = Decimal(2)


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference price, or None with `refusal` saying in words why there is none to be trusted."""

    price: Decimal | None
    refusal: str = ""


def reference_price(quote: PriceQuote, moment: dt.datetime, limits: PriceLimits) -> Reference:
    """Return the last trade where it is fresh and near the mid, else the mid (strategy 9).

    Where the quote is too old or its mid cannot be believed there is no price. A quote of a source that has one side
    only is its last trade, judged by that trade's age alone.
    """
    if quote.is_two_sided or quote.bid is not None or quote.ask is not None:
        return _two_sided(quote, moment, limits)
    if quote.last is None:
        return Reference(None, "its source gives no price")
    too_old = _age_refusal("last trade", quote.last_at or quote.as_of, moment, limits)
    return Reference(None, too_old) if too_old else Reference(quote.last)


def spread_bps(bid: Decimal | None, ask: Decimal | None) -> float | None:
    """Return the spread in hundredths of a percent of the mid, or None without two sides in order."""
    if bid is None or ask is None or not 0 < bid <= ask:
        return None
    return float((ask - bid) / ((bid + ask) / _TWO) * BPS)


def moves_too_far(decided_at: Decimal, now: Decimal, limits: PriceLimits) -> bool:
    """Return whether the price moved so far since a decision that it must be taken anew (strategy 9: 20 bps)."""
    return abs(now - decided_at) * BPS > _exact(limits.recheck_bps) * decided_at


def _two_sided(quote: PriceQuote, moment: dt.datetime, limits: PriceLimits) -> Reference:
    refusal = _age_refusal("quote", quote.as_of, moment, limits) or _sides_refusal(quote.bid, quote.ask, limits)
    if refusal or quote.bid is None or quote.ask is None:
        return Reference(None, refusal)
    mid = (quote.bid + quote.ask) / _TWO
    near = _exact(limits.max_last_distance_ratio) * mid
    if quote.last is not None and _is_recent(quote.last_at, moment, limits) and abs(quote.last - mid) <= near:
        return Reference(quote.last)
    return Reference(numbers.price(mid))


def _is_recent(last_at: dt.datetime | None, moment: dt.datetime, limits: PriceLimits) -> bool:
    """Return whether a trade is known to be fresh; one of an unknown time is not."""
    if last_at is None:
        return False
    age = (moment - last_at).total_seconds()
    return -limits.clock_ahead_seconds <= age <= limits.max_last_age_seconds


def _age_refusal(noun: str, made: dt.datetime, moment: dt.datetime, limits: PriceLimits) -> str:
    age = (moment - made).total_seconds()
    if age > limits.max_quote_age_seconds:
        return f"its {noun} is {seconds_text(age)} old and may be {seconds_text(limits.max_quote_age_seconds)}"
    if age < -limits.clock_ahead_seconds:
        return f"its {noun} is dated {seconds_text(-age)} ahead of our clock"
    return ""


def _sides_refusal(bid: Decimal | None, ask: Decimal | None, limits: PriceLimits) -> str:
    if bid is None or ask is None or bid <= 0 or ask <= 0:
        missing = [name for name, side in (("bid", bid), ("ask", ask)) if side is None or side <= 0]
        return f"its quote has no {' and no '.join(missing)}"
    if bid > ask:
        return f"its bid of {bid:,f} is above its ask of {ask:,f}"
    mid = (bid + ask) / _TWO
    if ask - bid > _exact(limits.max_spread_ratio) * mid:
        widest = float(_exact(limits.max_spread_ratio) * BPS)
        return f"its spread of {spread_bps(bid, ask):,.1f} bps is more than {widest:,.1f} bps"
    return ""


def seconds_text(seconds: float) -> str:
    """Return a duration in whole seconds, minutes or hours."""
    if seconds < 180:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 10_800 else f"{seconds / 3600:,.0f} h"


def _exact(ratio: float) -> Decimal:
    """Return a limit as it was written, so that a price on it is inside."""
    return Decimal(str(ratio))
