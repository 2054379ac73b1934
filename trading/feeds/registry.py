"""Which feeds of current prices there are, and where they may be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from portfolios.models import Portfolio
from trading.feeds.base import Feed, PriceQuote
from trading.feeds.synthetic import SyntheticFeed
from volbal.common.errors import Refused

REPLAY = Portfolio.REPLAY_FEED
_factories: dict[str, Callable[[], Feed]] = {"synthetic": SyntheticFeed}


def feed_names() -> list[str]:
    """Return the names of feeds that give current prices."""
    return sorted(_factories)


def feed_of(portfolio: Portfolio) -> Feed:
    """Return the feed of a portfolio that lives in the present.

    Raises Refused for an unknown name and for invented prices in a live portfolio.
    """
    factory = _factories.get(portfolio.feed)
    if factory is None:
        raise Refused(
            f"Portfolio {portfolio.name} names the feed {portfolio.feed!r}, which gives no current prices.",
            code="unknown_feed",
            hint=f"Use one of: {', '.join(feed_names())}.",
        )
    feed = factory()
    _require_allowed(portfolio, feed.is_synthetic, feed.name)
    return feed


def require_real_prices(portfolio: Portfolio, quotes: Iterable[PriceQuote]) -> None:
    """Raise Refused where invented prices reach a live portfolio."""
    for quote in quotes:
        _require_allowed(portfolio, quote.is_synthetic, quote.source)


def _require_allowed(portfolio: Portfolio, is_synthetic: bool, name: str) -> None:
    if is_synthetic and portfolio.mode == Portfolio.Mode.LIVE:
        raise Refused(
            f"Portfolio {portfolio.name} is live and the feed {name!r} invents its prices.",
            code="synthetic_in_live",
            hint="Give it a feed of real prices.",
        )
