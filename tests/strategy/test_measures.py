"""Measures against a library where both define them, and against sums done by hand."""

import math
import warnings

import numpy as np
import pytest

from tests.strategy.making import PLAIN, day, intraday, run
from volbal.strategy import MEASURES, Dividend, Split, simulate
from volbal.strategy.measures import measure_returns

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the library warns on import of what it does without
    import empyrical

RANDOM = np.random.default_rng(11)
CLOSES = list(np.round(100 * np.exp(np.cumsum(RANDOM.normal(0.0, 0.03, 400))), 2))


def returns_of(result):
    return np.diff(result.columns.value) / result.columns.value[:-1]


@pytest.mark.parametrize("rate", [0.0, 0.03])
def test_return_measures_agree_with_the_library(rate):
    result = run(CLOSES, risk_free_rate=rate)
    returns = returns_of(result)
    measures = result.measures
    assert measures["volatility"] == pytest.approx(empyrical.annual_volatility(returns), rel=1e-9)
    assert measures["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns, rate / 252), rel=1e-9)
    assert measures["sortino"] == pytest.approx(empyrical.sortino_ratio(returns, rate / 252), rel=1e-9)
    assert measures["annual_return"] == pytest.approx(empyrical.annual_return(returns), rel=1e-9)
    assert measures["max_drawdown"] == pytest.approx(empyrical.max_drawdown(returns), rel=1e-9)
    assert measures["calmar"] == pytest.approx(empyrical.calmar_ratio(returns), rel=1e-9)


def test_returns_are_daily_on_intraday_bars():
    closes = np.array(CLOSES).reshape(40, 10)
    result = simulate(intraday([list(one) for one in closes]), PLAIN)
    ends = result.columns.value[9::10]
    returns = np.diff(ends) / ends[:-1]
    assert result.measures["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252), rel=1e-9)
    growth = result.measures["final_value"] / 100_000.0
    assert result.measures["annual_return"] == pytest.approx(growth ** (252 / 39) - 1, rel=1e-9)


def test_the_first_bar_is_part_of_the_drawdown():
    result = run([100, 90.5], PLAIN.replace(max_stock=1.0), stock_fraction=1.0)
    assert result.measures["max_drawdown"] == pytest.approx(-0.095)


def test_sells_are_judged_by_their_average_cost():
    # Sells 152 at 120: (120 − 100) · 152 = 3040 gained. Cost stays 100. Anchor 120.
    # Buys at 108: V = 348·108 + 68240 = 105824; (120/108 − 1)·V/108 = 108.9 → 108 shares for 11664;
    # cost (34800 + 11664) / 456 = 101.894…
    # The anchor falls with a dividend of 30 to 78; 97 is above 85.8 and below the cost: a loss.
    result = run([100, 120, 108, 97], dividends=[Dividend(day(3), 30.0)])
    first, second, third = result.trades
    assert (first.side, first.gain) == ("SELL", 3040.0)
    assert (second.side, second.quantity, second.gain) == ("BUY", 108.0, None)
    cost = (34800 + 11664) / 456
    assert third.gain == pytest.approx(third.quantity * (97 - cost))
    assert result.measures["win_rate"] == 0.5
    assert result.measures["profit_factor"] == pytest.approx(3040.0 / -third.gain)


def test_the_stock_and_the_mix_are_held_unrounded():
    options = {"dividends": [Dividend(day(1), 1.0)], "splits": [Split(day(2), 2.0)]}
    measures = run([100, 101, 55], **options).measures
    # 1000 shares, 750 net, then 2000 shares at 55
    assert measures["stock_return"] == pytest.approx(0.1075)
    # 500 shares and 50000 cash, 375 net, then 1000 at 55
    assert measures["mix_return"] == pytest.approx(0.05375)
    assert measures["alpha"] == pytest.approx(measures["total_return"] - 0.1075)
    assert measures["excess_over_mix"] == pytest.approx(measures["total_return"] - 0.05375)


def test_what_is_undefined_is_none():
    one = run([100]).measures
    empty = {"annual_return", "volatility", "sharpe", "sortino", "calmar", "win_rate", "profit_factor"}
    assert {name for name, value in one.items() if value is None} == empty
    flat = run([100, 100, 100], risk_free_rate=0.02).measures
    assert (flat["volatility"], flat["sharpe"], flat["calmar"]) == (0.0, None, None)
    rising = run([100, 101, 102]).measures
    assert (rising["sortino"], rising["calmar"]) == (None, None)
    two = run([100, 101]).measures
    assert (two["volatility"], two["sharpe"]) == (None, None)


def test_a_growth_that_no_number_holds_is_none():
    # 50.5-fold in a day is 50.5 to the power of 252 a year, more than float64 reaches.
    measures = run([1, 100], PLAIN.replace(max_trade_fraction=0.001)).measures
    assert measures["total_return"] == pytest.approx(49.5)
    assert (measures["annual_return"], measures["calmar"]) == (None, None)


def test_every_measure_is_described():
    names = [measure.name for measure in MEASURES]
    assert list(run([100, 101]).measures) == names
    assert all(measure.label and measure.unit and measure.definition.endswith(".") for measure in MEASURES)


def measured(values, start=100.0):
    out = np.zeros(len(MEASURES))
    measure_returns(np.array(values), np.zeros(len(values)), start, 0.0, out)
    names = [measure.name for measure in MEASURES]
    return {name: out[names.index(name)] for name in ("annual_return", "volatility", "sharpe", "sortino")}


def test_a_value_that_reached_nothing_has_no_returns_after_it():
    ended = measured([100.0, 0.0, 0.0])
    assert ended["annual_return"] == -1.0
    assert all(math.isnan(ended[name]) for name in ("volatility", "sharpe", "sortino"))
    assert all(math.isnan(value) for value in measured([100.0, -1.0, -1.0]).values())
