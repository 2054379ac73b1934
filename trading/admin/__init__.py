"""The console's tables of what happens. Importing a module registers its tables."""

from trading.admin import (
    archives,
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
    "archives",
    "connections",
    "halts",
    "market",
    "orders",
    "paper",
    "portfolios",
    "prices",
    "reconciliation",
    "replays",
    "reports",
    "ticks",
]
