"""The protective stop (strategy 14), small enough to follow by hand."""

import pytest

from tests.strategy.making import PLAIN, day, intraday, run, trades_of
from volbal.strategy import (
    ACTIONS,
    REASONS,
    Action,
    CellState,
    Dividend,
    Reason,
    Split,
    cell_row,
    decide,
    next_triggers,
    parameter_row,
    simulate,
)  # fmt: skip
from volbal.strategy.quiet import quiet_band

STOPPED = PLAIN.replace(stop_loss=0.12, trigger_down=0.2)

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


@pytest.mark.parametrize("resting", [False, True])
@pytest.mark.parametrize("anchor", [None, 100.0])
def test_the_quiet_band_ends_where_the_stop_strikes(resting, anchor):
    row = cell_row(CellState(50_000.0, 500.0, anchor, average_cost=100.0))
    low, high = quiet_band(row, parameter_row(STOPPED), resting)
    assert low == 88.0
    assert high > 100.0
