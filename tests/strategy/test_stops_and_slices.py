"""The protective stop and orders in slices (strategy 14), small enough to follow by hand, then for every history."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.making import PLAIN, daily, day, intraday, run, trades_of
from tests.strategy.test_properties import SETTINGS, parameter_sets
from volbal.strategy import (
    ACTIONS,
    REASONS,
    Action,
    Bars,
    CellError,
    CellState,
    Dividend,
    Reason,
    Split,
    cell_row,
    decide,
    decide_slice,
    expand_grid,
    next_triggers,
    parameter_row,
    round_down,
    schedule_of,
    simulate,
    sweep,
)  # fmt: skip
from volbal.strategy.quiet import quiet_band

# 500 shares at 100 and 50,000 cash. At 110.01 it sells (100/110.01 − 1)·105005/110.01 = −86.9, in whole shares 86:
# 9,460.86, three slices of at most 4,000, of 28 each and the rest, 30.
SLICED = PLAIN.replace(slice_notional=4000.0)
STOPPED = PLAIN.replace(stop_loss=0.12, trigger_down=0.2)

SLICES = {
    "each bar takes one, the last the rest": (
        [[100, 110.01, 110.01, 110.01, 110.01]],
        {},
        [(1, 28.0, 110.01), (2, 28.0, 110.01), (3, 30.0, 110.01)],
        {"anchor": 110.01, "sold_since_anchor": 0.0},
        {},
    ),
    "each at the price of its moment, and the anchor is their mean": (
        [[100, 110.01, 112, 111]],
        {},
        [(1, 28.0, 110.01), (2, 28.0, 112.0), (3, 30.0, 111.0)],
        {"anchor": 111.003256},  # (28·110.01 + 28·112 + 30·111) / 86 = 9546.28 / 86
        {},
    ),
    "bars between two slices wait": (
        [[100, 110.01, 110.01, 110.01, 110.01, 110.01]],
        {"slice_interval_seconds": 120},
        [(1, 28.0, 110.01), (3, 28.0, 110.01), (5, 30.0, 110.01)],
        {"anchor": 110.01},
        {"order_in_flight": 2},
    ),
    "without its signal it ends, and less than half leaves the anchor": (
        [[100, 110.01, 109]],
        {},
        [(1, 28.0, 110.01)],
        {"anchor": 100.0, "sold_since_anchor": 28.0},
        {},
    ),
    "what was sold since is taken off the next": (
        [[100, 110.01, 109, 110.01, 110.01]],
        {},
        # 86 − 28 = 58: two slices of 29
        [(1, 28.0, 110.01), (3, 29.0, 110.01), (4, 29.0, 110.01)],
        {"anchor": 110.01, "sold_since_anchor": 0.0},
        {},
    ),
    "with at least half it moves": (
        [[100, 110.01, 112, 109]],
        {},
        [(1, 28.0, 110.01), (2, 28.0, 112.0)],
        {"anchor": 111.005, "sold_since_anchor": 0.0},
        {},
    ),
    "the close ends it": (
        [[100, 110.01], [110.01, 110.01, 110.01]],
        {},
        [(1, 28.0, 110.01), (2, 29.0, 110.01), (3, 29.0, 110.01)],
        {"anchor": 110.01},
        {},
    ),
    "the close ends it while it waits": (
        [[100, 110.01, 110.01], [109]],
        {"slice_interval_seconds": 600},
        [(1, 28.0, 110.01)],
        {"anchor": 100.0, "sold_since_anchor": 28.0},
        {"order_in_flight": 1},
    ),
    "an order that one slice holds goes out whole": (
        [[100, 110.01, 110.01]],
        {"slice_notional": 9460.86},
        [(1, 86.0, 110.01)],
        {"anchor": 110.01},
        {},
    ),
    "an order of one step cannot be parted": (
        [[100, 110.01, 110.01]],
        {"slice_notional": 10.0, "quantity_step": 86.0},
        [(1, 86.0, 110.01)],
        {"anchor": 110.01},
        {},
    ),
    "the parent counts once": (
        [[100, 110.01, 110.01, 110.01, 130]],
        {"max_orders_per_day": 1},
        [(1, 28.0, 110.01), (2, 28.0, 110.01), (3, 30.0, 110.01)],
        {"anchor": 110.01},
        {"daily_order_cap": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SLICES)
def test_slices_are_those_of_the_table(name):
    days, changes, expected, end, skips = SLICES[name]
    result = simulate(intraday(days), SLICED.replace(**changes))
    assert [(trade.bar, trade.quantity, trade.price) for trade in result.trades] == expected
    assert {trade.side for trade in result.trades} == {"SELL"}
    assert {field: getattr(result.final, field) for field in end} == end
    assert result.skips == skips


def test_slices_that_wait_for_the_next_open():
    result = simulate(intraday([[100, 110.01, 110.02, 110.03, 110.04, 110.05]]), SLICED, fill="next_open")
    assert [(trade.bar, trade.quantity, trade.price) for trade in result.trades] == [
        (2, 28.0, 110.02), (3, 28.0, 110.03), (4, 30.0, 110.04),
    ]  # fmt: skip
    assert result.final.anchor == round((28 * 110.02 + 28 * 110.03 + 30 * 110.04) / 86, 6)


def test_an_order_of_a_days_last_bar_is_worked_from_the_next_open():
    result = simulate(intraday([[100, 110.01], [110.01, 110.01, 110.01, 100]]), SLICED, fill="next_open")
    assert [(trade.bar, trade.quantity) for trade in result.trades] == [(2, 28.0), (3, 28.0), (4, 30.0)]


def test_a_split_cancels_an_order_in_slices():
    table = [[100, 110.01], [54, 54, 54]]
    result = simulate(intraday(table), SLICED, fill="next_open", splits=[Split(date(1970, 1, 2), 2.0)])
    assert (result.trades, result.final.shares, result.final.anchor) == ((), 1000.0, 50.0)


def test_daily_bars_take_the_first_slice_and_the_result_says_so():
    result = run([100, 110.01, 110.01, 109], SLICED)
    # 86 → 28 of three, then 58 → 29 of two: at least half, so that the anchor moves
    assert [(trade.bar, trade.quantity) for trade in result.trades] == [(1, 28.0), (2, 29.0)]
    assert [caution.code for caution in result.cautions] == ["bars_coarser_than_slices"]
    fine = simulate(intraday([[100, 101, 102]]), SLICED)
    assert fine.cautions == ()
    assert (
        "one slice a bar"
        in simulate(intraday([[100, 101]]), SLICED.replace(slice_interval_seconds=30)).cautions[0].sentence
    )


def test_slices_of_resting_orders_are_refused():
    for call in (simulate, lambda bars, one, **options: sweep(bars, [one], **options)):
        with pytest.raises(CellError, match="slice_notional"):
            call(daily([100, 101]), SLICED, execution="resting")
    with pytest.raises(CellError, match="slice_notional"):
        sweep(daily([100, 101]), expand_grid({"slice_notional": [None, 4000.0]}, PLAIN), execution="resting")


STOPS = {
    "it sells all and halts": (
        [100, 88, 130, 60],
        {},
        [(1, "SELL", 500.0, 88.0, "stop_loss")],
    ),
    "it is inclusive": ([100, 88.01], {}, []),
    "it goes before a trigger": (
        [100, 85],
        {"trigger_down": 0.1},
        [(1, "SELL", 500.0, 85.0, "stop_loss")],
    ),
    "no minimum, cap or guardrail holds it back": (
        [100, 88],
        {"min_notional": 1e9, "min_quantity": 1e9, "max_trade_fraction": 0.01, "min_stock": 0.45, "quantity_step": 300},
        [(1, "SELL", 300.0, 88.0, "stop_loss")],
    ),
    "it is sold whole, not in slices": (
        [100, 88],
        {"slice_notional": 100.0},
        [(1, "SELL", 500.0, 88.0, "stop_loss")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_stops_are_those_of_the_table(name):
    table, changes, expected = STOPS[name]
    assert trades_of(run(table, STOPPED.replace(**changes))) == expected


def test_the_stop_follows_the_average_cost():
    parameters = STOPPED.replace(trigger_down=0.05)
    result = run([100, 95, 88.1, 60], parameters)
    bought = result.trades[0].quantity
    cost = (100 * 500 + 95 * bought) / (500 + bought)
    assert cost * 0.88 < 88.1
    assert (result.trades[-1].bar, result.trades[-1].reason) == (3, "stop_loss")
    assert result.trades[-1].quantity == pytest.approx(500 + sum(trade.quantity for trade in result.trades[:-1]))


def test_after_the_stop_only_actions_and_marks_go_on():
    result = run(
        [100, 100, 88, 130, 130],
        STOPPED,
        dividends=[Dividend(day(1), 2.0, day(3)), Dividend(day(4), 2.0)],
    )
    assert [(trade.bar, trade.reason) for trade in result.trades] == [(2, "stop_loss")]
    assert list(result.columns.receivable) == [0.0, 750.0, 750.0, 0.0, 0.0]
    assert result.final.cash == 50_000.0 + 500 * 88 + 750.0
    assert [REASONS[code] for code in result.columns.reason] == [
        "inside_band", "inside_band", "stop_loss", "halted", "halted",
    ]  # fmt: skip
    assert [ACTIONS[code] for code in result.columns.action[3:]] == ["HOLD", "HOLD"]
    assert (result.skips, result.measures["final_value"]) == ({}, 94_750.0)


def test_the_stop_waits_for_the_next_open_where_fills_do():
    result = run([100, 88, (80, 90, 80, 130), 130], STOPPED, fill="next_open", slippage_bps=100.0)
    assert trades_of(result) == [(2, "SELL", 500.0, 79.2, "stop_loss")]
    assert [REASONS[code] for code in result.columns.reason] == ["inside_band", "stop_loss", "halted", "halted"]


def test_a_split_cancels_the_stop_that_waits_and_it_strikes_again():
    result = run([100, 88, 40, 40, 70], STOPPED, fill="next_open", splits=[Split(day(2), 2.0)])
    assert trades_of(result) == [(3, "SELL", 1000.0, 40.0, "stop_loss")]


def test_the_stop_needs_no_anchor_and_no_orders_left():
    result = run([100, 88, 130], STOPPED, shares=500.0, cash=0.0)
    assert trades_of(result) == [(1, "SELL", 500.0, 88.0, "stop_loss")]
    capped = simulate(intraday([[100, 120, 88, 87]]), STOPPED.replace(max_orders_per_day=1))
    assert [trade.reason for trade in capped.trades] == ["trigger_up", "stop_loss"]


def test_the_stop_ends_an_order_in_slices():
    parameters = STOPPED.replace(trigger_down=0.1, slice_notional=4000.0)
    result = simulate(intraday([[100, 90, 80, 80]]), parameters)
    assert [(trade.bar, trade.side, trade.reason) for trade in result.trades] == [
        (1, "BUY", "trigger_down"), (2, "SELL", "stop_loss"),
    ]  # fmt: skip
    assert result.final.shares == 0.0


def test_with_resting_orders_the_stop_is_looked_at_with_the_close():
    # The buy at 90.00 fills within the bar; at the close of 80 all of it is sold.
    result = run([100, (95, 95, 80, 80), 130], STOPPED.replace(trigger_down=0.1), execution="resting")
    assert [(trade.bar, trade.side, trade.price, trade.reason) for trade in result.trades] == [
        (1, "BUY", 90.0, "trigger_down"), (1, "SELL", 80.0, "stop_loss"),
    ]  # fmt: skip
    assert result.final.shares == 0.0


def test_no_buy_rests_where_the_stop_strikes():
    result = run([100, (95, 95, 80, 95)], STOPPED.replace(trigger_down=0.15), execution="resting")
    assert result.trades == ()


def test_a_decision_of_the_stop_says_why():
    decision = decide(88.0, CellState(50_000.0, 500.0, 100.0, orders_today=9, average_cost=100.0), STOPPED)
    assert (decision.action, decision.reason, decision.signal) == (Action.SELL, Reason.STOP_LOSS, 0)
    assert (decision.quantity, decision.raw_quantity, decision.stock_share_after) == (-500.0, 0.0, 0.0)
    assert decision.sentence == (
        "Protective stop: 88.00 is 12.00 % under the average cost 100.00, and the stop stands at 12.00 %; "
        "sells all 500 shares at the market (44,000.00) and halts."
    )
    none = decide(88.0, CellState(50_000.0, 0.0, 100.0, average_cost=100.0), STOPPED)
    assert none.reason is not Reason.STOP_LOSS


def test_the_next_stop_is_shown_beside_the_next_triggers():
    cell = CellState(50_000.0, 500.0, 100.0, average_cost=100.0)
    stop = next_triggers(cell, STOPPED).stop
    assert (stop.price, stop.quantity, stop.reason) == (88.0, 500.0, "stop_loss")
    assert decide(stop.price, cell, STOPPED).reason is Reason.STOP_LOSS
    assert next_triggers(cell, PLAIN).stop is None
    capped = CellState(50_000.0, 500.0, None, orders_today=5, average_cost=100.0)
    assert next_triggers(capped, STOPPED).stop == stop


def test_a_schedule_says_how_many_how_large_and_when():
    schedule = schedule_of(86.0, 110.01, SLICED)
    assert (schedule.count, schedule.size, schedule.seconds_to_next(1)) == (3, 28.0, 60)
    assert [schedule.next_quantity(done, left) for done, left in ((0, 86.0), (1, 58.0), (2, 30.0))] == [
        28.0,
        28.0,
        30.0,
    ]
    assert schedule_of(86.0, 40.0, SLICED) is None
    assert schedule_of(86.0, 110.01, PLAIN) is None


def test_a_slice_is_asked_about_without_its_own_order():
    # 28 of the order are sold already, the day's orders used up and the minimum above the slice.
    cell = CellState(53_080.28, 472.0, 100.0, orders_today=5, sold_since_anchor=28.0)
    parameters = SLICED.replace(min_notional=9_000.0)
    asked = decide_slice(110.01, cell, parameters, side="SELL", filled=28.0, most=28.0)
    assert (asked.action, asked.quantity) == (Action.SELL, -28.0)
    assert decide_slice(110.01, cell, parameters, side="SELL", filled=28.0, most=1000.0).quantity == -86.0
    assert decide_slice(109.0, cell, parameters, side="SELL", filled=28.0, most=28.0).action is Action.HOLD


@st.composite
def minutes(draw):
    """Make a few days of bars some minutes apart, whose opens jump and whose highs and lows reach out."""
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    steps = draw(st.lists(st.floats(-0.06, 0.06), min_size=sum(lengths), max_size=sum(lengths)))
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


@SETTINGS
@given(bars=minutes(), parameters=working(), options=WAYS)
def test_nothing_is_oversold_or_overspent(bars, parameters, options):
    result = simulate(bars, parameters, **options)
    for name in ("cash", "shares"):
        assert getattr(result.columns, name).min() >= 0.0
    stops = [trade for trade in result.trades if trade.reason == "stop_loss"]
    assert stops in ([], [result.trades[-1]] if result.trades else [])
    for trade in stops:
        assert trade.shares_after == 0.0


@SETTINGS
@given(bars=minutes(), parameters=working(), options=WAYS)
def test_a_sweep_is_the_simulation_with_stops_and_slices_too(bars, parameters, options):
    plain = parameters.replace(slice_notional=None, stop_loss=None)
    swept = sweep(bars, [parameters, plain], workers=2, **options)
    for index, one in enumerate((parameters, plain)):
        assert swept.measures(index) == simulate(bars, one, **options).measures


@SETTINGS
@given(bars=minutes(), parameters=working(), options=WAYS, cut=st.integers(0, 4))
def test_cutting_the_future_off_changes_no_past_day(bars, parameters, options, cut):
    kept = int((bars.days <= cut).sum())
    whole = simulate(bars, parameters, **options)
    part = simulate(bars.select(end=f"1970-01-0{cut + 1}"), parameters, **options)
    assert part.trades == tuple(trade for trade in whole.trades if trade.bar < kept)


@SETTINGS
@given(bars=minutes(), parameters=working())
def test_a_slice_never_moves_more_than_one_whole_order_may(bars, parameters):
    result = simulate(bars, parameters.replace(slice_interval_seconds=1, stop_loss=None, auto_rebalance=False))
    columns, most = result.columns, result.parameters.max_trade_fraction
    for trade in result.trades:
        before = trade.bar - 1
        value = float(columns.cash[before] + columns.shares[before] * result.bars.close[trade.bar])
        assert trade.quantity * trade.price <= most * value + 1e-6 * trade.price


@SETTINGS
@given(
    quantity=st.floats(0.001, 1e5), price=st.floats(0.5, 1000.0),
    notional=st.floats(1.0, 1e6), step=st.sampled_from([0.000001, 0.01, 1.0]),
)  # fmt: skip
def test_slices_add_up_to_their_order_exactly(quantity, price, notional, step):
    ordered = float(round_down(quantity, step))
    parameters = PLAIN.replace(slice_notional=notional, quantity_step=step)
    schedule = schedule_of(ordered, price, parameters) if ordered > 0.0 else None
    if schedule is None:
        return
    left, slices = ordered, []
    for done in range(min(schedule.count, 2000)):
        slices.append(schedule.next_quantity(done, left))
        left = round(left - slices[-1], 9)
    assert min(slices) >= step * (1 - 1e-9)
    assert slices[0] * price <= notional * (1 + 1e-9) or slices[0] <= step * (1 + 1e-9)
    assert len(set(slices[:-1])) <= 1
    if schedule.count <= 2000:
        assert left == 0.0
        assert slices[-1] >= slices[0] * (1 - 1e-9)


@SETTINGS
@given(bars=minutes(), parameters=working(), fraction=st.sampled_from([0.0, 0.5, 1.0]))
def test_resting_orders_with_a_stop_sweep_as_they_simulate(bars, parameters, fraction):
    one = parameters.replace(slice_notional=None)
    options = {"execution": "resting", "stock_fraction": fraction}
    assert sweep(bars, [one], **options).measures(0) == simulate(bars, one, **options).measures


@pytest.mark.parametrize("resting", [False, True])
@pytest.mark.parametrize("anchor", [None, 100.0])
def test_the_quiet_band_ends_where_the_stop_strikes(resting, anchor):
    row = cell_row(CellState(50_000.0, 500.0, anchor, average_cost=100.0))
    low, high = quiet_band(row, parameter_row(STOPPED), resting)
    assert low == 88.0
    assert high > 100.0
