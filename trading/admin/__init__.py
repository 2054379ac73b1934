"""The console's tables of what happens. Importing a module registers its tables."""

from trading.admin import market, orders, paper, portfolios, prices, reconciliation, replays, reports, ticks

__all__ = ["market", "orders", "paper", "portfolios", "prices", "reconciliation", "replays", "reports", "ticks"]
