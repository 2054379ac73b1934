"""Which feeds of current prices there are, and where they may be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from portfolios.models import Portfolio
from trading.brokers.registry import is_simulated
from trading.feeds.alpaca import AlpacaFeed
from trading.feeds.base import Feed, PriceQuote
from trading.feeds.folder import FOLDER, FolderFeed
from trading.feeds.pushed import PushedFeed
from trading.feeds.sources import PUSHED
from trading.feeds.synthetic import SyntheticFeed
from trading.feeds.yahoo import YahooFeed
from trading.pairings import Pairing, require_pairing
from volbal.common.errors import Refused

REPLAY = Portfolio.REPLAY_FEED
FeedFactory = Callable[[Portfolio], Feed]
_factories: dict[str, FeedFactory] = {
    "alpaca": lambda portfolio: AlpacaFeed(),
    FOLDER: lambda portfolio: FolderFeed(),
    PUSHED: lambda portfolio: PushedFeed(portfolio.tenant_id),
    "synthetic": lambda portfolio: SyntheticFeed(),
    "yahoo": lambda portfolio: YahooFeed(),
}


def feed_names() -> list[str]:
    """Return the names of feeds that give current prices."""
    return sorted(_factories)


def feed_of(portfolio: Portfolio) -> Feed:
    """Return the feed of a portfolio that lives in the present.

    Raises Refused for an unknown name and where feed, portfolio and account do not go together (`trading.pairings`).
    """
    factory = _factories.get(portfolio.feed)
    if factory is None:
        raise Refused(
            f"Portfolio {portfolio.name} names the feed {portfolio.feed!r}, which gives no current prices.",
            code="unknown_feed",
            hint=f"Use one of: {', '.join(feed_names())}.",
        )
    feed = factory(portfolio)
    _require(portfolio, feed.name, is_synthetic=feed.is_synthetic)
    return feed


def require_real_prices(portfolio: Portfolio, quotes: Iterable[PriceQuote]) -> None:
    """Raise Refused where invented prices reach a portfolio that may not trade on them."""
    invented = next((quote for quote in quotes if quote.is_synthetic), None)
    if invented is not None:
        _require(portfolio, invented.source, is_synthetic=True)


def _require(portfolio: Portfolio, source: str, *, is_synthetic: bool) -> None:
    account = portfolio.account
    require_pairing(Pairing(portfolio, account, is_simulated(account), source, is_synthetic))
