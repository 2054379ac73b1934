"""Bars prepared for the compiled simulation: days, extremes of blocks, running sums, actions."""

from typing import NamedTuple

import numpy as np

from volbal.strategy.bars import Bars
from volbal.strategy.numeric import FloatArray, IntArray
from volbal.strategy.timeline import Timeline

BLOCK = 64


class Market(NamedTuple):
    """Hold what every combination of parameters shares about the bars.

    `reach_high` and `reach_low` are the extremes at which the rule may act within a bar: its close when it is
    watched, all of it when orders rest. Blocks are runs of `BLOCK` bars from the first. `close_sum[i]` is the
    sum of the closes before bar i, `second` each bar's stamp in seconds. `day` numbers each bar's day from 0;
    `day_start` has one element more.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    reach_high: FloatArray
    reach_low: FloatArray
    block_reach_high: FloatArray
    block_reach_low: FloatArray
    block_close_high: FloatArray
    block_close_low: FloatArray
    close_sum: FloatArray
    second: IntArray
    day: IntArray
    day_start: IntArray
    day_close: FloatArray
    timeline: Timeline


def prepare_market(bars: Bars, timeline: Timeline, *, resting: bool) -> Market:
    """Return the bars as the simulation reads them."""
    if resting:
        corners = np.stack([bars.open, bars.high, bars.low, bars.close])
        reach_high, reach_low = corners.max(axis=0), corners.min(axis=0)
    else:
        reach_high = reach_low = bars.close
    starts = np.flatnonzero(np.concatenate(([True], np.diff(bars.days) != 0)))
    day = np.cumsum(np.concatenate(([0], np.diff(bars.days) != 0))).astype(np.int64)
    blocks = np.arange(0, len(bars), BLOCK)
    return Market(
        bars.open,
        bars.high,
        bars.low,
        bars.close,
        reach_high,
        reach_low,
        np.maximum.reduceat(reach_high, blocks),
        np.minimum.reduceat(reach_low, blocks),
        np.maximum.reduceat(bars.close, blocks),
        np.minimum.reduceat(bars.close, blocks),
        np.concatenate(([0.0], np.cumsum(bars.close))),
        bars.seconds,
        day,
        np.append(starts, len(bars)).astype(np.int64),
        bars.close[np.append(starts[1:], len(bars)) - 1],
        timeline,
    )
