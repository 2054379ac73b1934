"""What one simulated cell reads and writes while it runs."""

from typing import NamedTuple

import numpy as np

from volbal.strategy import indices as at
from volbal.strategy.codes import REASON_COUNT
from volbal.strategy.numeric import BoolArray, FloatArray, IntArray

# A tally: what a run adds up beside the cell itself. HALTED is 1 from the protective stop on. An order that is
# worked in slices (strategy 14) has its signed quantity in SLICED, what of it filled and for how much, the size of a
# slice, the slices left to submit and the second the next is due; SLICED is 0 without one.
(
    TRADES, NOTIONAL, COMMISSION, DIVIDENDS, SELLS, WINS, GAINS, LOSSES, VALUE_SUM, PEAK, DRAWDOWN,
    INSIDE, STOCK_SHARES, STOCK_CASH, MIX_SHARES, MIX_CASH, FINAL_VALUE, START_VALUE, BARS, NEXT_ACTION,
    NEXT_PAYMENT, DAY, HALTED, SLICES_LEFT, SLICE_AT, SLICE_SIZE, SLICED, SLICED_FILLED, SLICED_GROSS,
) = range(29)  # fmt: skip
TALLY_COUNT = 29

# A recorded trade.
(
    AT_BAR, QUANTITY, PRICE, TRADE_NOTIONAL, TRADE_COMMISSION, TRADE_REASON, CASH_AFTER, SHARES_AFTER, GAIN,
) = range(9)  # fmt: skip
TRADE_COUNT = 9

# A recorded bar's state.
BAR_CASH, BAR_SHARES, BAR_RECEIVABLE, BAR_ANCHOR = range(4)


class Options(NamedTuple):
    """Hold how a run is made (strategy 10 and 12); `shares` < 0 starts with `stock_fraction` of the cash."""

    cash: float
    stock_fraction: float
    shares: float
    anchor: float
    next_open: bool
    resting: bool
    low_first: bool
    slippage_bps: float
    risk_free_rate: float
    reinvest: bool


class Workspace(NamedTuple):
    """Hold one run's rows: the cell, its parameters of the day, sums, day values, dividends and skips.

    `asked_*` are what the rule is asked with about a slice.
    """

    cell: FloatArray
    parameters: FloatArray
    tally: FloatArray
    day_values: FloatArray
    day_returns: FloatArray
    nets: FloatArray
    skips: IntArray
    asked_cell: FloatArray
    asked_parameters: FloatArray


class Record(NamedTuple):
    """Hold what `simulate` keeps of every bar and trade; all empty in a sweep.

    `touched` marks the bars at which something was decided or changed; the state of any other bar is that of
    the last touched one. `trades` holds as many rows as fit; the tally knows how many there were.
    """

    touched: BoolArray
    states: FloatArray
    outcomes: IntArray
    trades: FloatArray


def new_workspace(days: int, dividends: int) -> Workspace:
    """Return a workspace for bars of so many days and dividends."""
    return Workspace(
        np.zeros(at.CELL_COUNT),
        np.zeros(at.PARAMETER_COUNT),
        np.zeros(TALLY_COUNT),
        np.zeros(days),
        np.zeros(days),
        np.zeros(dividends),
        np.zeros(REASON_COUNT, dtype=np.int64),
        np.zeros(at.CELL_COUNT),
        np.zeros(at.PARAMETER_COUNT),
    )


def no_record() -> Record:
    """Return the record that keeps nothing."""
    return Record(
        np.zeros(0, dtype=np.bool_),
        np.zeros((0, 4)),
        np.zeros((0, 2), dtype=np.int64),
        np.zeros((0, TRADE_COUNT)),
    )
