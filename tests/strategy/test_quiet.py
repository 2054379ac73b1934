"""Bars that are passed over are those at which the rule would have held."""

import math

import numpy as np
import pytest

from tests.strategy.making import PLAIN, intraday
from volbal.strategy import Action, CellState, StrategyParameters, cell_row, decide, simulate
from volbal.strategy.quiet import share_band

LONG = np.round(100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, 0.001, 3900))), 2)
CASES = {
    "default": StrategyParameters(),
    "narrow": StrategyParameters(min_stock=0.48, max_stock=0.52, guardrail_tolerance=0.0, trigger_up=0.05),
    "wide": StrategyParameters(min_stock=0.0, max_stock=1.0, trigger_up=0.3, trigger_down=0.3),
    "no rebalancing": StrategyParameters(auto_rebalance=False, trigger_up=0.01, trigger_down=0.01),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_the_rule_holds_at_every_bar_that_did_nothing(name, fraction):
    parameters = CASES[name]
    result = simulate(intraday(LONG.reshape(10, 390).tolist()), parameters, stock_fraction=fraction)
    columns = result.columns
    idle = np.flatnonzero(columns.action == 0)
    assert len(idle) > 100
    for bar in idle[::3]:
        cell = CellState(columns.cash[bar], columns.shares[bar], columns.anchor[bar], columns.receivable[bar])
        assert decide(result.bars.close[bar], cell, parameters).action is Action.HOLD


@pytest.mark.parametrize("name", CASES)
def test_measures_of_long_runs_are_those_of_every_bar(name):
    result = simulate(intraday(LONG.reshape(10, 390).tolist()), CASES[name])
    value = result.columns.value
    share = result.columns.shares * result.bars.close / value
    low, high = CASES[name].min_stock - 1e-6, CASES[name].max_stock + 1e-6
    assert result.measures["max_drawdown"] == pytest.approx(
        (value / np.maximum.accumulate(value) - 1.0).min(), rel=1e-12
    )
    assert result.measures["time_in_guardrails"] == ((share >= low) & (share <= high)).mean()
    notional = sum(trade.notional for trade in result.trades)
    assert result.measures["turnover"] == pytest.approx(notional / value.mean(), rel=1e-12)


def band(cash, shares, floor, ceiling):
    row = cell_row(CellState(max(cash, 0.0), shares, 100.0))
    row[0] = cash
    return share_band(row, floor, ceiling)


def test_the_prices_of_a_stock_share():
    # 10 shares and 1000 cash: one quarter at 33.33, three quarters at 300
    assert band(1000.0, 10.0, 0.25, 0.75) == pytest.approx((100 / 3, 300.0))
    assert band(1000.0, 10.0, 0.0, 1.0) == (0.0, math.inf)
    assert band(1000.0, 0.0, 0.0, 0.75) == (0.0, math.inf)
    assert band(1000.0, 0.0, 0.25, 0.75) == (math.inf, -math.inf)
    assert band(0.0, 0.0, 0.0, 0.75) == (math.inf, -math.inf)
    assert band(0.0, 10.0, 0.25, 0.75) == (math.inf, -math.inf)
    assert band(0.0, 10.0, 0.25, 1.0) == (0.0, math.inf)
    assert band(-1.0, 10.0, 0.25, 1.0) == (math.inf, -math.inf)
    # 10 shares and 1 owed: the share is 10·P / (10·P − 1), below 1.1 from P = 1.1
    assert band(-1.0, 10.0, 0.25, 1.1) == pytest.approx((1.1, math.inf))


def test_a_minimum_commission_may_leave_money_owed():
    parameters = PLAIN.replace(commission_min=500.0, min_stock=0.0, quantity_step=0.01, rebalance_ratio=0.1)
    result = simulate(intraday([[100.0, 112.0, 112.0]]), parameters, shares=1.0, cash=0.0, anchor=100.0)
    assert result.final.cash < 0.0
    assert len(result.bars) == 3
