"""Quotes that cannot be true, and why, in words. Pure: no database, no clock."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.utils import timezone

from trading.feeds.base import PriceQuote
from trading.services.price_limits import PriceLimits
from trading.services.reference_price import seconds_text

# What a column of prices holds.
HIGHEST = Decimal(10) ** 14


def quote_problem(quote: PriceQuote, moment: dt.datetime, limits: PriceLimits) -> str:
    """Return why a quote is refused, naming the number and what was expected; empty where it is not.

    Crossed quotes, one side and old ones are facts of a market: they are kept, and no price is made of them.
    """
    prices = {"bid": quote.bid, "ask": quote.ask, "last": quote.last, "previous close": quote.previous_close}
    for name, price in prices.items():
        problem = price_problem(name, price)
        if problem:
            return problem
    if all(prices[name] is None for name in ("bid", "ask", "last")):
        return "it has no bid, ask or last price; expected at least one"
    for name, made in (("time", quote.as_of), ("time of the last trade", quote.last_at)):
        if made is not None and (problem := time_problem(name, made, moment, limits)):
            return problem
    return ""


def price_problem(name: str, price: Decimal | None) -> str:
    """Return why a price cannot be one; empty where it can, or there is none."""
    if price is None:
        return ""
    if not price.is_finite() or not 0 < price < HIGHEST:
        return f"its {name} is {price}; expected a number above 0"
    return ""


def time_problem(name: str, made: dt.datetime, moment: dt.datetime, limits: PriceLimits) -> str:
    """Return why a time cannot be believed; empty where it can."""
    if timezone.is_naive(made):
        return f"its {name} {made.isoformat()} has no time zone; expected one, for example +00:00"
    ahead = (made - moment).total_seconds()
    if ahead > limits.clock_ahead_seconds:
        return (
            f"its {name} {made.isoformat()} is {seconds_text(ahead)} ahead of our clock; "
            f"at most {seconds_text(limits.clock_ahead_seconds)} are allowed"
        )
    return ""
