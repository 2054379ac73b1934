"""The broker Interactive Brokers, over its gateway or Trader Workstation."""

from trading.brokers.interactive_brokers.broker import InteractiveBrokersBroker

__all__ = ["InteractiveBrokersBroker"]
