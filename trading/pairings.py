"""What goes together: accounts, brokers, portfolios and prices; asked when they are opened and whenever they are used.

Real money moves only where the installation allows it, at a broker with a market of its own, on real prices.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from portfolios.models import BrokerAccount, Portfolio
from volbal.common.errors import Refused


@dataclass(frozen=True, slots=True)
class Pairing:
    """A portfolio with what it would trade through and on."""

    portfolio: Portfolio
    account: BrokerAccount
    broker_is_simulated: bool
    source: str
    prices_are_synthetic: bool


def require_account(account: BrokerAccount, *, is_simulated: bool) -> None:
    """Raise Refused, saying what to do, where an account may not be used in this installation."""
    if not account.is_live:
        return
    if is_simulated:
        raise Refused(
            f"Account {account.name} is marked live and its broker {account.broker!r} only simulates.",
            code="simulated_live",
            hint="Open a paper account, or a live one at a broker that reaches a market.",
        )
    if not settings.LIVE_TRADING_ALLOWED:
        raise Refused(
            f"Account {account.name} moves real money, which the {settings.ENVIRONMENT} settings do not allow.",
            code="live_not_allowed",
            hint="Use it in an installation with production settings; no order was sent.",
        )


def require_pairing(pairing: Pairing) -> None:
    """Raise Refused, saying what to do, where a portfolio may not trade through its account on its prices."""
    portfolio, account = pairing.portfolio, pairing.account
    is_live = portfolio.mode == Portfolio.Mode.LIVE
    if pairing.prices_are_synthetic and is_live:
        raise Refused(
            f"Portfolio {portfolio.name} is live and the feed {pairing.source!r} invents its prices.",
            code="synthetic_in_live",
            hint="Give it a feed of real prices.",
        )
    if is_live and portfolio.feed == Portfolio.REPLAY_FEED:
        raise Refused(
            f"Portfolio {portfolio.name} is live and its prices are recorded ones.",
            code="replay_in_live",
            hint="Give it a feed of current prices.",
        )
    if is_live != account.is_live:
        raise Refused(
            f"Portfolio {portfolio.name} is in mode {portfolio.mode} and account {account.name} is "
            f"{'live' if account.is_live else 'not live'}.",
            code="live_mismatch",
            hint="Live portfolios belong in live accounts, and only they.",
        )
    if portfolio.mode == Portfolio.Mode.REPLAY and not pairing.broker_is_simulated:
        raise Refused(
            f"Portfolio {portfolio.name} replays the past, and broker {account.broker!r} trades in the present.",
            code="replay_at_market",
            hint="Replay in an account at the paper broker.",
        )
    require_account(account, is_simulated=pairing.broker_is_simulated)
