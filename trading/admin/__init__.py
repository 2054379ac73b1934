"""The console's tables of what happens. Importing a module registers its tables."""

from trading.admin import halts, market, orders, paper, portfolios, prices, reconciliation, replays, reports, ticks

__all__ = [
    "halts", "market", "orders", "paper", "portfolios", "prices", "reconciliation", "replays", "reports", "ticks",
]  # fmt: skip
