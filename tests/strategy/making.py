"""Small bars for tests, and the trades expected beside them."""

from datetime import date, timedelta

import numpy as np

from volbal.strategy import Bars, StrategyParameters, simulate

FIRST_DAY = date(2024, 1, 1)
EPOCH = date(1970, 1, 1).toordinal()
# No costs and whole shares: numbers that a person can check.
PLAIN = StrategyParameters(
    commission_rate=0.0,
    quantity_step=1.0,
    min_notional=0.0,
    trigger_up=0.1,
    trigger_down=0.1,
    rebalance_ratio=1.0,
)


def day(number):
    """Return the date of bar `number` of daily test bars."""
    return FIRST_DAY + timedelta(days=number)


def daily(table):
    """Make daily bars of rows (open, high, low, close), or of closes alone."""
    rows = [row if isinstance(row, tuple) else (row, row, row, row) for row in table]
    opened, high, low, close = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    stamps = np.arange(len(rows)) + FIRST_DAY.toordinal() - EPOCH
    return Bars(stamps=stamps, open=opened, high=high, low=low, close=close)


def intraday(days, **marks):
    """Make minute bars of closes, one list a day."""
    closes = np.array([close for closes in days for close in closes], dtype=np.float64)
    numbers = np.repeat(np.arange(len(days)), [len(closes) for closes in days])
    return Bars(
        stamps=numbers * 86_400_000_000_000 + np.arange(len(closes)) * 60_000_000_000,
        open=closes, high=closes, low=closes, close=closes, days=numbers, resolution="intraday", **marks,
    )  # fmt: skip


def trades_of(result):
    """Return trades as the tables of these tests write them: bar, side, quantity, price, reason."""
    return [(t.bar, t.side, t.quantity, t.price, t.reason) for t in result.trades]


def run(table, parameters=PLAIN, **options):
    return simulate(daily(table), parameters, **options)
