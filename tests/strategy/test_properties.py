"""What must hold for every cell, price and parameter."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.strategy.making import FIRST_DAY, daily, day
from volbal.strategy import (
    Action,
    CellState,
    Dividend,
    Split,
    StrategyParameters,
    cents,
    decide,
    next_triggers,
    simulate,
    sweep,
)  # fmt: skip

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FRACTIONS = st.sampled_from([0.001, 0.01, 0.03, 0.1, 0.3])


@st.composite
def parameter_sets(draw, **fixed):
    low = draw(st.sampled_from([0.0, 0.1, 0.25, 0.45]))
    sizing = draw(st.sampled_from(["proportional", "fixed_percentage", "original"]))
    values = {
        "trigger_up": draw(FRACTIONS),
        "trigger_down": draw(FRACTIONS),
        "sizing": sizing,
        "rebalance_ratio": draw(st.sampled_from([0.05, 0.5, 1.0] + [3.0] * (sizing == "proportional"))),
        "min_stock": low,
        "max_stock": draw(st.sampled_from([0.5, 0.75, 1.0])),
        "guardrail_tolerance": draw(st.sampled_from([0.0, 0.01, 0.05])),
        "auto_rebalance": draw(st.booleans()),
        "min_notional": draw(st.sampled_from([0.0, 100.0, 2000.0])),
        "min_quantity": draw(st.sampled_from([0.0, 2.0])),
        "quantity_step": draw(st.sampled_from([0.000001, 0.01, 1.0])),
        "max_trade_fraction": draw(st.sampled_from([0.05, 0.25, 1.0])),
        "max_orders_per_day": draw(st.sampled_from([1, 5])),
        "commission_rate": draw(st.sampled_from([0.0, 0.0001, 0.01])),
        "withholding_rate": draw(st.sampled_from([0.0, 0.25])),
        "adaptive_multiple": draw(st.sampled_from([0.0, 0.0, 2.0])),
    }
    return StrategyParameters(**{**values, **fixed})


@st.composite
def cells(draw):
    anchor = draw(st.one_of(st.none(), st.floats(1.0, 1000.0)))
    return CellState(
        cash=float(cents(draw(st.floats(0.0, 1e6)))),
        shares=round(draw(st.one_of(st.just(0.0), st.floats(0.0, 1e4))), 6),
        anchor=anchor,
        receivable=float(cents(draw(st.sampled_from([0.0, 50.0])))),
        orders_today=draw(st.integers(0, 6)),
    )


@st.composite
def histories(draw):
    steps = draw(st.lists(st.floats(-0.15, 0.15), min_size=3, max_size=60))
    close = np.round(100.0 * np.exp(np.cumsum(steps)), 2)
    opened = np.round(np.concatenate(([100.0], close[:-1])) * (1.0 + 0.01 * np.sin(np.arange(len(close)))), 2)
    high, low = np.maximum(opened, close) * 1.02, np.minimum(opened, close) * 0.98
    return daily(list(zip(opened, np.round(high, 2), np.round(low, 2), close, strict=True)))


@st.composite
def run_options(draw):
    resting = draw(st.booleans())
    return {
        "execution": "resting" if resting else "watch",
        "fill": "close" if resting else draw(st.sampled_from(["close", "next_open"])),
        "path": draw(st.sampled_from(["ohlc", "olhc"])),
        "slippage_bps": draw(st.sampled_from([0.0, 25.0])),
        "stock_fraction": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "reinvest": draw(st.booleans()),
        "dividends": [Dividend(day(2), 1.0, day(4)), Dividend(day(5), 0.5)] if draw(st.booleans()) else [],
        "splits": [Split(day(3), draw(st.sampled_from([0.1, 2.0, 3.0])))] if draw(st.booleans()) else [],
    }


@SETTINGS
@given(cell=cells(), parameters=parameter_sets(), price=st.floats(0.5, 2000.0))
def test_an_order_never_spends_or_sells_more_than_there_is(cell, parameters, price):
    decision = decide(price, cell, parameters)
    if decision.action is Action.BUY:
        assert cents(decision.quantity * price) * (1 + parameters.commission_rate) <= cell.cash
    if decision.action is Action.SELL:
        assert -decision.quantity <= cell.shares
    if decision.action in (Action.BUY, Action.SELL):
        assert abs(decision.quantity) * price <= parameters.max_trade_fraction * decision.value * (1 + 1e-9)
        assert abs(decision.quantity) * price >= parameters.min_notional
        assert cell.orders_today < parameters.max_orders_per_day
    steps = abs(decision.quantity) / parameters.quantity_step
    assert steps == pytest.approx(round(steps), rel=1e-9, abs=1e-3)


@SETTINGS
@given(cell=cells(), parameters=parameter_sets(), price=st.floats(0.5, 2000.0))
def test_a_signal_keeps_the_guardrails_within_a_step_and_a_cent(cell, parameters, price):
    decision = decide(price, cell, parameters)
    slack = (parameters.quantity_step * price + 0.01) / max(decision.value, 1e-9) + 1e-9
    if decision.reason in ("trigger_down", "guardrail_rebalance") and decision.action is Action.BUY:
        assert decision.stock_share_after <= parameters.max_stock + slack
    if decision.reason in ("trigger_up", "guardrail_rebalance") and decision.action is Action.SELL:
        assert decision.stock_share_after >= parameters.min_stock - slack


@SETTINGS
@given(cell=cells(), parameters=parameter_sets(), price=st.floats(0.5, 2000.0))
def test_deciding_depends_on_nothing_but_its_arguments(cell, parameters, price):
    before = decide(price, cell, parameters)
    decide(price * 2.0, CellState(1.0, 1.0, 1.0), StrategyParameters())
    again = decide(price, CellState(**asdict(cell)), StrategyParameters.from_dict(parameters.to_dict()))
    assert before == again


@SETTINGS
@given(cell=cells(), parameters=parameter_sets(), price=st.floats(1.0, 1000.0))
def test_the_next_triggers_are_what_the_rule_does_there(cell, parameters, price):
    triggers = next_triggers(cell, parameters, price=price)
    for action, trigger in ((Action.BUY, triggers.buy), (Action.SELL, triggers.sell)):
        if trigger is not None:
            decision = decide(trigger.price, cell, parameters)
            assert (decision.action, abs(decision.quantity)) == (action, trigger.quantity)
            assert trigger.price == price or (trigger.price < price) == (action is Action.BUY)


@SETTINGS
@given(bars=histories(), parameters=parameter_sets(), options=run_options())
def test_cash_and_shares_are_conserved(bars, parameters, options):
    result = simulate(bars, parameters, **{**options, "splits": [], "dividends": []})
    idle = parameters.replace(auto_rebalance=False, trigger_up=0.99, trigger_down=0.99, adaptive_multiple=0.0)
    start = simulate(bars.select(end=FIRST_DAY), idle, stock_fraction=options["stock_fraction"])
    cash, shares = start.final.cash, start.final.shares
    for trade in result.trades:
        sign = 1 if trade.side == "BUY" else -1
        cash = float(cents(cash - sign * trade.notional - trade.commission))
        shares += sign * trade.quantity
        assert (trade.cash_after, trade.shares_after) == (cash, pytest.approx(shares, abs=1e-6))
        assert trade.cash_after >= 0.0
        assert trade.shares_after >= 0.0
    assert result.final.cash == cash


@SETTINGS
@given(bars=histories(), parameters=parameter_sets(), options=run_options())
def test_money_and_shares_stay_at_or_above_nothing(bars, parameters, options):
    columns = simulate(bars, parameters, **options).columns
    for name in ("cash", "shares", "receivable"):
        assert getattr(columns, name).min() >= 0.0
    assert np.array_equal(np.round(columns.cash, 2), columns.cash)


@SETTINGS
@given(bars=histories(), parameters=parameter_sets(), options=run_options(), cut=st.integers(1, 59))
def test_cutting_the_future_off_changes_no_past_decision(bars, parameters, options, cut):
    assume(cut < len(bars))
    whole = simulate(bars, parameters, **options)
    part = simulate(bars.select(end=day(cut)), parameters, **options)
    assert part.trades == tuple(trade for trade in whole.trades if trade.bar <= cut)
    for name in ("value", "cash", "shares", "receivable", "action", "reason"):
        assert np.array_equal(getattr(part.columns, name), getattr(whole.columns, name)[: len(part.bars)])


@SETTINGS
@given(bars=histories(), options=run_options(), chosen=st.lists(parameter_sets(), min_size=1, max_size=4))
def test_a_sweep_is_the_simulation_of_each_combination(bars, options, chosen):
    swept = sweep(bars, chosen, workers=2, **options)
    for index, parameters in enumerate(chosen):
        assert swept.parameters(index) == parameters
        assert swept.measures(index) == simulate(bars, parameters, **options).measures


@SETTINGS
@given(bars=histories(), parameters=parameter_sets(), options=run_options())
def test_measures_over_every_bar_agree_with_the_columns(bars, parameters, options):
    result = simulate(bars, parameters, **options)
    value = result.columns.value
    fall = (value / np.maximum.accumulate(value) - 1.0).min()
    assert result.measures["max_drawdown"] == pytest.approx(fall, abs=1e-14)
    traded = sum(trade.notional for trade in result.trades)
    assert result.measures["turnover"] == pytest.approx(traded / value.mean(), rel=1e-12)
    share = result.columns.shares * result.bars.close / value
    inside = (share >= parameters.min_stock - 1e-6) & (share <= parameters.max_stock + 1e-6)
    assert result.measures["time_in_guardrails"] == inside.mean()
