"""The console's tables of what happens. Importing a module registers its tables."""

from trading.admin import market, orders, portfolios, replays, ticks

__all__ = ["market", "orders", "portfolios", "replays", "ticks"]
