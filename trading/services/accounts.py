"""Accounts and portfolios opened with what they trade through and on, and accounts told how to behave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from portfolios.models import BrokerAccount, Portfolio
from portfolios.services.accounts import account_create
from portfolios.services.changes import changing
from portfolios.services.checks import require_reason
from portfolios.services.origin import Origin
from portfolios.services.portfolios import portfolio_create
from trading.brokers.account_settings import settings_read
from trading.brokers.registry import SETTINGS, is_simulated, require_usable
from trading.feeds.registry import feed_of
from trading.pairings import Pairing, require_pairing
from volbal.common.errors import Refused


def account_open(
    *,
    name: str,
    broker: str,
    is_live: bool = False,
    settings: Mapping[str, Any] | None = None,
    **facts: Any,
) -> BrokerAccount:
    """Open an account at a broker there is; takes what `account_create` takes.

    Raises Refused, and opens nothing, where the broker is unknown, the account may not be used in this installation
    or its settings cannot be.
    """
    require_usable(BrokerAccount(name=name, broker=broker, is_live=is_live, settings=dict(settings or {})))
    return account_create(name=name, broker=broker, is_live=is_live, settings=settings, **facts)


def account_configure(*, account: BrokerAccount, settings: Mapping[str, Any], origin: Origin) -> BrokerAccount:
    """Tell an account's broker how to behave, from its next question on. What is left out has its default.

    Raises Refused naming the setting, its value and the bound; nothing is changed then.
    """
    require_reason(origin, "Changing how an account behaves")
    kind = SETTINGS.get(account.broker)
    if kind is None:
        raise Refused(f"Broker {account.broker!r} of account {account.name} has nothing to set.", code="no_settings")
    settings_read(kind, settings, section=account.broker)
    with changing(account, kind="account.configured", origin=origin) as change:
        change.row.settings = {**change.row.settings, account.broker: dict(settings)}
    return account


def portfolio_open(**facts: Any) -> Portfolio:
    """Create a portfolio; takes what `portfolio_create` takes.

    Raises Refused, and creates nothing, where its mode, feed and account do not go together (`trading.pairings`).
    """
    with transaction.atomic():
        portfolio = portfolio_create(**facts)
        portfolio_require(portfolio)
    return portfolio


def portfolio_require(portfolio: Portfolio) -> None:
    """Raise Refused where a portfolio's mode, feed and account do not go together."""
    if portfolio.feed and portfolio.feed != Portfolio.REPLAY_FEED:
        feed_of(portfolio)
        return
    account = portfolio.account
    require_pairing(Pairing(portfolio, account, is_simulated(account), portfolio.feed, prices_are_synthetic=False))
