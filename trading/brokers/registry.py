"""Which brokers there are, and where they may be used."""

from __future__ import annotations

from typing import Any

from portfolios.models import BrokerAccount
from trading.brokers.account_settings import settings_read
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.alpaca.settings import AlpacaSettings
from trading.brokers.api import ApiBroker, ApiSettings
from trading.brokers.base import Broker, BrokerFactory
from trading.brokers.interactive_brokers import InteractiveBrokersBroker
from trading.brokers.interactive_brokers.settings import InteractiveBrokersSettings
from trading.brokers.paper import PaperBroker, PaperSettings
from trading.pairings import require_account
from volbal.common.errors import Refused

_factories: dict[str, BrokerFactory] = {
    "alpaca": AlpacaBroker,
    "api": ApiBroker,
    "interactive_brokers": InteractiveBrokersBroker,
    "paper": PaperBroker,
}
# Brokers that fill on our own quotes: replays go to no other, and real money to no such one.
SIMULATED = frozenset({"paper"})
# What an account may say to its broker under the broker's name in `settings`.
SETTINGS: dict[str, type[Any]] = {
    "alpaca": AlpacaSettings,
    "api": ApiSettings,
    "interactive_brokers": InteractiveBrokersSettings,
    "paper": PaperSettings,
}


def broker_names() -> list[str]:
    """Return the names an account may carry."""
    return sorted(_factories)


def is_simulated(account: BrokerAccount) -> bool:
    """Return whether the account's broker only simulates a market."""
    return account.broker in SIMULATED


def broker_of(account: BrokerAccount) -> Broker:
    """Return the broker of an account.

    Raises Refused when there is none of that name, naming the known ones; where the account may not be used in this
    installation; and where its settings cannot be.
    """
    require_usable(account)
    return _factories[account.broker](account)


def require_usable(account: BrokerAccount) -> None:
    """Raise Refused where an account's broker, liveness or settings cannot be."""
    if account.broker not in _factories:
        raise Refused(
            f"There is no broker named {account.broker!r} for account {account.name}.",
            code="unknown_broker",
            hint=f"Use one of: {', '.join(broker_names())}.",
        )
    require_account(account, is_simulated=is_simulated(account))
    if account.broker in SETTINGS:
        settings_read(SETTINGS[account.broker], account.settings.get(account.broker, {}), section=account.broker)
