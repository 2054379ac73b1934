"""A simulated broker with a book of its own. Real in all but the market: what it does with faults comes from a seed."""

from trading.brokers.paper.broker import PaperBroker
from trading.brokers.paper.settings import PaperSettings

__all__ = ["PaperBroker", "PaperSettings"]
