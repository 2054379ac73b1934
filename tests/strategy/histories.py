"""Histories of minutes, and parameters that work orders in slices and hold a stop, drawn by hypothesis."""

import numpy as np
from hypothesis import strategies as st

from tests.strategy.test_properties import parameter_sets
from volbal.strategy import Bars


@st.composite
def minutes(draw, largest_step=0.06):
    """Make a few days of bars some minutes apart, whose opens jump and whose highs and lows reach out."""
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    steps = draw(st.lists(st.floats(-largest_step, largest_step), min_size=sum(lengths), max_size=sum(lengths)))
    close = np.round(100.0 * np.exp(np.cumsum(steps)), 2)
    opened = np.round(np.concatenate(([100.0], close[:-1])) * (1.0 + 0.01 * np.sin(np.arange(len(close)))), 2)
    days = np.repeat(np.arange(len(lengths)), lengths)
    return Bars(
        stamps=days * 86_400_000_000_000 + np.arange(len(close)) * 60_000_000_000,
        open=opened, high=np.round(np.maximum(opened, close) * 1.01, 2),
        low=np.round(np.minimum(opened, close) * 0.99, 2), close=close, days=days, resolution="intraday",
    )  # fmt: skip


@st.composite
def working(draw):
    return draw(
        parameter_sets(
            slice_notional=draw(st.sampled_from([None, 150.0, 1000.0, 20_000.0])),
            slice_interval_seconds=draw(st.sampled_from([1, 60, 61, 180])),
            stop_loss=draw(st.sampled_from([None, 0.02, 0.1])),
        )
    )


WAYS = st.fixed_dictionaries(
    {
        "fill": st.sampled_from(["close", "next_open"]),
        "slippage_bps": st.sampled_from([0.0, 25.0]),
        "stock_fraction": st.sampled_from([0.0, 0.5, 1.0]),
    }
)
