"""The broker Alpaca."""

from trading.brokers.alpaca.broker import AlpacaBroker

__all__ = ["AlpacaBroker"]
