"""Grids and sweeps: order, limits, progress, cancelling, bad input."""

import numpy as np
import pytest

from tests.strategy.making import PLAIN, daily, intraday
from volbal.strategy import (
    BarsError,
    CellError,
    GridError,
    ParameterError,
    StrategyParameters,
    SweepCancelled,
    expand_grid,
    simulate,
    sweep,
)  # fmt: skip

BARS = daily(np.round(100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.03, 120))), 2).tolist())


def test_the_last_parameter_changes_fastest():
    grid = expand_grid({"trigger_up": [0.01, 0.02], "sizing": ["proportional", "original"]})
    pairs = [(grid.parameters(i).trigger_up, grid.parameters(i).sizing) for i in range(len(grid))]
    assert pairs == [(0.01, "proportional"), (0.01, "original"), (0.02, "proportional"), (0.02, "original")]
    assert list(grid.column("sizing")) == ["proportional", "original"] * 2


def test_a_range_keeps_both_ends_and_steps_in_decimals():
    assert expand_grid({"trigger_up": {"from": 0.01, "to": 0.05, "step": 0.01}}).axes["trigger_up"] == (
        0.01, 0.02, 0.03, 0.04, 0.05,
    )  # fmt: skip
    uneven = expand_grid({"trigger_up": {"from": 0.01, "to": 0.1, "step": 0.04}})
    assert uneven.axes["trigger_up"] == (0.01, 0.05, 0.09, 0.1)
    whole = expand_grid({"max_orders_per_day": {"from": 1, "to": 3, "step": 1}})
    assert whole.axes["max_orders_per_day"] == (1, 2, 3)


def test_rows_are_those_of_the_parameters():
    base = PLAIN.replace(rebalance_ratio=1.6667)
    axes = {"sizing": ["original", "fixed_percentage"], "auto_rebalance": [True, False]}
    grid = expand_grid({**axes, "min_stock": [0.1, 0.2]}, base)
    listed = [grid.parameters(index) for index in range(len(grid))]
    assert listed[0].rebalance_ratio == 0.05
    swept, one_by_one = sweep(BARS, grid), sweep(BARS, listed)
    assert np.array_equal(swept.values, one_by_one.values, equal_nan=True)
    assert swept.columns().keys() >= {"sizing", "auto_rebalance", "min_stock", "sharpe"}
    assert list(one_by_one.columns()["min_stock"]) == [0.1, 0.2] * 4
    assert one_by_one.parameter_names == ("rebalance_ratio", "sizing", "min_stock", "auto_rebalance")


BAD_GRIDS = [
    ({}, "names no parameter"),
    ({"trigger_up": []}, "has 0 combinations"),
    ({"triger_up": [0.1]}, "triger_up"),
    ({"rebalance_ratio": [None, 0.5]}, "gives rebalance_ratio none"),
    ({"trigger_up": 0.1}, "expected a list"),
    ({"sizing": "original"}, "expected a list"),
    ({"trigger_up": {"from": 0.1, "to": 0.2}}, "from, to and step"),
    ({"trigger_up": {"from": 0.1, "to": 0.2, "step": 0}}, "step of trigger_up is 0"),
    ({"trigger_up": {"from": 0.2, "to": 0.1, "step": 0.01}}, "from 0.2 to 0.1"),
    ({"trigger_up": {"from": "a", "to": 0.1, "step": 0.01}}, "from 'a'"),
    ({"trigger_up": {"from": 0.1, "to": float("inf"), "step": 0.01}}, "to inf"),
    ({"trigger_up": {"from": True, "to": 1, "step": 0.01}}, "from True"),
    ({"min_notional": {"from": 0, "to": 9_999_999, "step": 1}}, "10,000,000 combinations"),
    ({"min_notional": {"from": 0, "to": 999, "step": 1}, "min_quantity": {"from": 0, "to": 9999, "step": 1}},
     "10,000,000 combinations"),
]  # fmt: skip


@pytest.mark.parametrize("grid,words", BAD_GRIDS)
def test_a_grid_that_cannot_be_is_refused(grid, words):
    with pytest.raises(GridError) as caught:
        expand_grid(grid)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "grid,name",
    [
        ({"trigger_up": [0.1, 1.0]}, "trigger_up"),
        ({"min_stock": [0.1, 0.8], "max_stock": [0.75, 0.9]}, "min_stock"),
        ({"sizing": ["fixed_percentage"], "rebalance_ratio": [0.5, 2.0]}, "rebalance_ratio"),
        ({"adaptive_floor": [0.01, 0.2]}, "adaptive_floor"),
    ],
)
def test_a_combination_out_of_bounds_is_refused(grid, name):
    with pytest.raises(ParameterError) as caught:
        expand_grid(grid)
    assert caught.value.parameter == name


def test_values_beyond_the_base_are_allowed_together():
    assert len(expand_grid({"min_stock": [0.8], "max_stock": [0.9]})) == 1


def test_progress_counts_to_the_end_and_workers_change_nothing():
    grid = {"trigger_up": {"from": 0.01, "to": 0.2, "step": 0.005}}
    seen = []
    one = sweep(BARS, grid, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (39, 39)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    three = sweep(BARS, grid, workers=3)
    assert np.array_equal(one.values, three.values, equal_nan=True)


def test_a_cancelled_sweep_says_how_far_it_came():
    seen = []
    with pytest.raises(SweepCancelled, match="cancelled after") as caught:
        sweep(
            BARS,
            {"trigger_up": {"from": 0.01, "to": 0.2, "step": 0.001}},
            workers=1,
            progress=lambda done, total: seen.append(done),
            cancel=lambda: len(seen) >= 2,
        )
    assert 0 < caught.value.done < caught.value.total == 191


def test_what_is_off_is_one_of_the_values_of_a_parameter():
    swept = sweep(BARS, {"stop_loss": [None, 0.05], "slice_notional": [None, 1000.0]})
    assert np.isnan(swept.columns()["stop_loss"]).tolist() == [True, True, False, False]
    for index in range(4):
        assert swept.measures(index) == simulate(BARS, swept.parameters(index)).measures
    assert len(set(swept.measure("final_value"))) > 2


def test_adaptive_combinations_have_each_their_decay():
    chosen = [
        PLAIN.replace(adaptive_multiple=multiple, adaptive_decay=decay)
        for multiple, decay in ((0.0, 0.94), (2.0, 0.94), (2.0, 0.8))
    ]
    swept = sweep(BARS, chosen)
    for index, parameters in enumerate(chosen):
        assert swept.measures(index) == simulate(BARS, parameters).measures
    assert len(set(swept.measure("final_value"))) == 3


def test_combinations_may_differ_in_trading_hours():
    marks = {"in_session": np.array([True, True, False, True])}
    bars = intraday([[100, 90, 50, 100]], **marks)
    swept = sweep(bars, {"allow_after_hours": [False, True]})
    assert swept.measures(0) == simulate(bars, StrategyParameters()).measures
    assert swept.measures(1) == simulate(bars, StrategyParameters(allow_after_hours=True)).measures


def test_a_sweep_refuses_what_a_backtest_refuses():
    with pytest.raises(GridError, match="0 combinations"):
        sweep(BARS, [])
    with pytest.raises(CellError, match="workers"):
        sweep(BARS, [PLAIN], workers=0)
    with pytest.raises(CellError, match="cash"):
        sweep(BARS, [PLAIN], cash=-1.0)
    with pytest.raises(BarsError, match="at least one bar"):
        sweep(BARS, [PLAIN], start="2030-01-01")
