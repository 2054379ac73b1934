"""Our side of brokers that fetch orders and report over our API."""

from trading.brokers.api.broker import ApiBroker
from trading.brokers.api.settings import ApiSettings

__all__ = ["ApiBroker", "ApiSettings"]
