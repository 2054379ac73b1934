"""Which feeds of current prices there are, and where they may be used."""

from __future__ import annotations

from collections.abc import Callable

from portfolios.models import Portfolio
from trading.feeds.base import Feed
from trading.feeds.synthetic import SyntheticFeed
from volbal.common.errors import Refused

REPLAY = "replay"
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
    if feed.is_synthetic and portfolio.mode == Portfolio.Mode.LIVE:
        raise Refused(
            f"Portfolio {portfolio.name} is live and the feed {portfolio.feed!r} invents its prices.",
            code="synthetic_in_live",
            hint="Give it a feed of real prices.",
        )
    return feed
