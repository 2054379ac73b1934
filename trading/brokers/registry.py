"""Which brokers there are, and where they may be used."""

from __future__ import annotations

from portfolios.models import BrokerAccount
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.base import Broker, BrokerFactory
from trading.brokers.paper import PaperBroker
from volbal.common.errors import Refused

_factories: dict[str, BrokerFactory] = {"alpaca": AlpacaBroker, "paper": PaperBroker}


def broker_names() -> list[str]:
    """Return the names an account may carry."""
    return sorted(_factories)


def broker_of(account: BrokerAccount) -> Broker:
    """Return the broker of an account. Raises Refused, naming the known ones, when there is none of that name."""
    factory = _factories.get(account.broker)
    if factory is None:
        raise Refused(
            f"There is no broker named {account.broker!r} for account {account.name}.",
            code="unknown_broker",
            hint=f"Use one of: {', '.join(broker_names())}.",
        )
    return factory(account)
