"""The console's tables of what happens. Importing a module registers its tables."""

from trading.admin import (
    connections,
    halts,
    market,
    orders,
    paper,
    portfolios,
    prices,
    reconciliation,
    replays,
    reports,
    ticks,
)

__all__ = [
    "connections", "halts", "market", "orders", "paper", "portfolios", "prices", "reconciliation", "replays", "reports",
    "ticks",
]  # fmt: skip
