"""The console's tables of what happens. Importing a module registers its tables."""

from trading.admin import (
    api_broker,
    archives,
    connections,
    halts,
    history,
    limits,
    market,
    orders,
    paper,
    placing,
    portfolios,
    prices,
    reconciliation,
    replays,
    reports,
    ticks,
)

__all__ = [
    "api_broker",
    "archives",
    "connections",
    "halts",
    "history",
    "limits",
    "market",
    "orders",
    "paper",
    "placing",
    "portfolios",
    "prices",
    "reconciliation",
    "replays",
    "reports",
    "ticks",
]
