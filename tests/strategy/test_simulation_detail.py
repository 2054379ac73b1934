"""Backtests small enough to follow by hand: bars as a table, the expected trades beside them."""

import numpy as np
import pytest

from tests.strategy.making import PLAIN, daily, day, intraday, run, trades_of
from volbal.strategy import ACTIONS, REASONS, BarsError, CellError, Dividend, Split, simulate
from volbal.strategy.timeline import lay_out

HALF = {"cash": 100_000.0}  # 500 shares at 100 and 50,000 cash

# Selling at 110: raw = (100/110 − 1)·105000/110 = −86.77…, in whole shares 86.
# Buying at 90:   raw = (100/90 − 1)·95000/90 = 117.28…, in whole shares 117.
TABLES = {
    "inside the band nothing happens": ([100, 109.99, 90.01, 100], {}, []),
    "the upper trigger is inclusive": ([100, 110.0], {}, []),
    "above the upper trigger it sells": ([100, 110.01], {}, [(1, "SELL", 86.0, 110.01, "trigger_up")]),
    "at the lower trigger it buys": ([100, 90], {}, [(1, "BUY", 117.0, 90.0, "trigger_down")]),
    "the anchor is the last fill": (
        [100, 90, 98],
        {},
        [(1, "BUY", 117.0, 90.0, "trigger_down")],
    ),
    "at the next open it fills a bar later": (
        [100, 90, (95, 95, 95, 95), 100],
        {"fill": "next_open"},
        [(2, "BUY", 117.0, 95.0, "trigger_down")],
    ),
    "an order of the last bar does not fill": ([100, 90], {"fill": "next_open"}, []),
    "slippage worsens a buy": (
        [100, 90],
        {"slippage_bps": 100.0},
        [(1, "BUY", 117.0, 90.9, "trigger_down")],
    ),
    "slippage worsens a sell": (
        [100, 120],
        {"slippage_bps": 100.0},
        [(1, "SELL", 152.0, 118.8, "trigger_up")],
    ),
    "resting orders fill at their levels, high first": (
        [100, (100, 112, 89, 100)],
        {"execution": "resting"},
        # In float64 100·1.1 is a hair above 110, so that its level is 110.01; 110.01·0.9 = 99.009 → 99.00.
        # 99 · 414 + 59460.86 = 100446.86: (110.01/99 − 1) · 100446.86 / 99 = 112.8
        [
            (1, "SELL", 86.0, 110.01, "trigger_up"),
            (1, "BUY", 112.0, 99.0, "trigger_down"),
            (1, "BUY", 118.0, 89.1, "trigger_down"),
            (1, "SELL", 93.0, 98.01, "trigger_up"),
        ],
    ),
    "resting orders that the open jumps over fill at the open": (
        [100, (115, 115, 115, 115)],
        {"execution": "resting"},
        [(1, "SELL", 86.0, 115.0, "trigger_up")],
    ),
    "a fall at the open buys there": (
        [100, (85, 85, 85, 85)],
        {"execution": "resting"},
        [(1, "BUY", 117.0, 85.0, "trigger_down")],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_trades_are_those_of_the_table(name):
    table, options, expected = TABLES[name]
    assert trades_of(run(table, **HALF, **options)) == expected


def test_a_split_cancels_the_order_that_waits_for_the_open():
    table = [100, 90, 48, 48]
    result = run(table, fill="next_open", splits=[Split(day(2), 2.0)])
    assert result.trades == ()
    assert (result.final.shares, result.final.anchor, result.final.average_cost) == (1000.0, 50.0, 50.0)


def test_a_dividend_does_not_cancel_the_order_that_waits_for_the_open():
    result = run([100, 90, 90], fill="next_open", dividends=[Dividend(day(2), 1.0)])
    assert trades_of(result) == [(2, "BUY", 117.0, 90.0, "trigger_down")]


def test_a_dividend_waits_as_receivable_until_its_pay_date():
    # 500 shares · 2 = 1000 gross, 250 tax, 750 net; the anchor falls by 2.
    result = run([100, 100, 100, 100], dividends=[Dividend(day(1), 2.0, day(3))])
    assert list(result.columns.receivable) == [0.0, 750.0, 750.0, 0.0]
    assert list(result.columns.cash) == [50_000.0, 50_000.0, 50_000.0, 50_750.0]
    assert list(result.columns.anchor) == [100.0, 98.0, 98.0, 98.0]
    assert result.measures["dividends_net"] == 750.0


def test_a_dividend_that_eats_the_anchor_unsets_it():
    result = run([100, 100, 50], dividends=[Dividend(day(1), 100.0)])
    assert np.isnan(result.columns.anchor[1])
    assert result.final.anchor is None
    assert [REASONS[code] for code in result.columns.reason] == ["inside_band", "no_anchor", "no_anchor"]
    assert result.trades == ()


def test_a_dividend_after_a_split_of_the_same_date_counts_the_new_shares():
    result = run([100, 50, 50], splits=[Split(day(1), 2.0)], dividends=[Dividend(day(1), 1.0)])
    assert result.columns.cash[1] == 50_750.0  # 1000 · 1 less a quarter
    assert result.final.anchor == 49.0


def test_several_actions_between_two_bars_are_applied_in_date_order():
    bars = daily([100, 100, 100, 100, 49])
    keep = np.array([True, False, False, False, True])
    sparse = type(bars)(*(getattr(bars, name)[keep] for name in ("stamps", "open", "high", "low", "close")))
    actions = {"dividends": [Dividend(day(1), 2.0), Dividend(day(3), 1.0)], "splits": [Split(day(2), 2.0)]}
    result = simulate(sparse, PLAIN.replace(withholding_rate=0.0), **actions)
    # 500 · 2 = 1000, then 1000 shares · 1 = 1000; anchor (100 − 2) / 2 − 1
    assert result.final.cash == 52_000.0
    assert result.final.anchor == 48.0
    assert result.final.shares == 1000.0


def test_payments_that_meet_one_bar_are_made_in_the_order_of_their_pay_dates():
    bars = daily([100, 100, 100, 100, 100])
    gap = np.array([True, True, True, False, True])
    sparse = type(bars)(*(getattr(bars, name)[gap] for name in ("stamps", "open", "high", "low", "close")))
    timeline = lay_out(sparse, [Dividend(day(1), 2.0, day(4)), Dividend(day(2), 1.0, day(3))], ())
    assert list(timeline.payment_bar) == [3, 3]
    assert list(timeline.payment_dividend) == [1, 0]


def test_actions_up_to_the_first_bar_are_history():
    result = run([100, 100], splits=[Split(day(0), 2.0)], dividends=[Dividend(day(0), 1.0, day(1))])
    assert (result.final.shares, result.final.cash) == (500.0, 50_000.0)


def test_actions_after_the_last_bar_are_not_applied():
    result = run([100, 100], splits=[Split(day(2), 2.0)], dividends=[Dividend(day(1), 1.0, day(9))])
    assert (result.final.shares, result.final.receivable) == (500.0, 375.0)


def test_reinvestment_buys_at_the_close_of_the_pay_date_without_commission():
    parameters = PLAIN.replace(commission_rate=0.01)
    result = run([100, 100, 104, 104], parameters, dividends=[Dividend(day(1), 2.0, day(2))], reinvest=True)
    # net 750 buys 7 whole shares at 104; the cost is (100·500 + 728) / 507
    assert (result.final.shares, result.final.cash) == (507.0, 50_022.0)
    assert result.final.average_cost == pytest.approx((100 * 500 + 728) / 507, rel=1e-12)
    assert result.trades == ()
    assert result.final.anchor == 98.0


def test_reinvestment_goes_before_the_evaluation_at_that_close():
    result = run([100, 90], dividends=[Dividend(day(1), 2.0)], reinvest=True)
    # anchor 98 → buys at 88.2 or lower, so 90 holds, and 750 net buys 8 shares
    assert result.final.shares == 508.0
    assert result.trades == ()


def test_orders_are_counted_on_the_day_of_their_decision():
    parameters = PLAIN.replace(max_orders_per_day=1)
    result = simulate(intraday([[100, 90, 80], [80, 70]]), parameters)
    assert [(trade.bar, trade.side) for trade in result.trades] == [
        (1, "BUY"),
        (3, "BUY"),
    ]
    assert result.skips == {"daily_order_cap": 2}


def test_a_buy_that_slips_beyond_the_cash_is_cut():
    parameters = PLAIN.replace(max_stock=1.0, max_trade_fraction=1.0, rebalance_ratio=50.0)
    result = run([100, 90], parameters, slippage_bps=100.0)
    # wanted 555 at 90; at 90.9 cash of 50000 − 0.01 buys 550
    assert trades_of(result) == [(1, "BUY", 550.0, 90.9, "trigger_down")]
    assert result.final.cash == pytest.approx(5.0)


def test_a_buy_cut_to_nothing_is_no_fill_but_counts():
    parameters = PLAIN.replace(
        max_orders_per_day=1,
        max_stock=1.0,
        max_trade_fraction=1.0,
        rebalance_ratio=50.0,
        auto_rebalance=False,
    )
    bars = intraday([[100, 90, 80]])
    result = simulate(bars, parameters, shares=0.0, cash=90.5, anchor=100.0, slippage_bps=100.0)
    assert result.trades == ()
    assert result.final.anchor == 100.0
    assert result.skips == {"daily_order_cap": 1}


def test_resting_orders_stop_at_the_daily_cap():
    table = [100, (100, 112, 89, 100)]
    result = run(table, PLAIN.replace(max_orders_per_day=2), execution="resting")
    assert len(result.trades) == 2
    assert result.skips == {}


def test_resting_walks_the_low_first_when_told():
    result = run([100, (100, 112, 89, 100)], execution="resting", path="olhc")
    assert [(trade.side, trade.price) for trade in result.trades[:2]] == [("BUY", 90.0), ("SELL", 99.01)]


def test_resting_rebalances_once_at_the_close():
    parameters = PLAIN.replace(max_stock=0.5, min_stock=0.0, guardrail_tolerance=0.0, trigger_up=0.5)
    result = run([100, 120], parameters, execution="resting")
    # 500·120 of 110000: sells to one half, (0.5·110000 − 60000)/120 = −41.67
    assert trades_of(result) == [(1, "SELL", 41.0, 120.0, "guardrail_rebalance")]


def test_a_resting_level_of_nothing_has_no_order():
    penny = PLAIN.replace(trigger_down=0.5, trigger_up=0.9, min_notional=0.0)
    result = run([(0.01, 0.01, 0.01, 0.01), (0.004, 0.004, 0.004, 0.004)], penny, execution="resting")
    assert result.trades == ()


def test_a_cell_without_anchor_holds():
    for execution in ("watch", "resting"):
        result = run([100, 50, 200], shares=500.0, cash=1000.0, execution=execution)
        assert result.trades == ()
        assert {REASONS[code] for code in result.columns.reason[1:]} == {"no_anchor"}


def test_a_cell_without_value_measures_nothing():
    result = run([100, 50, 200], shares=0.0, cash=0.0, anchor=100.0)
    wanted = {
        "total_return",
        "annual_return",
        "sharpe",
        "max_drawdown",
        "turnover",
        "stock_return",
        "win_rate",
    }
    assert {name for name in wanted if result.measures[name] is not None} == set()
    assert result.measures["time_in_guardrails"] == 0.0
    assert {REASONS[code] for code in result.columns.reason} == {"inside_band"}


def test_bars_outside_the_session_are_left_out_unless_allowed():
    marks = {"in_session": np.array([False, True, True, False])}
    bars = intraday([[50, 100, 100, 100]], **marks)
    assert len(simulate(bars, PLAIN).bars) == 2
    assert len(simulate(bars, PLAIN.replace(allow_after_hours=True)).bars) == 4


def test_start_and_end_are_both_included():
    result = run([90, 100, 101, 102, 200], start=day(1), end=day(3).isoformat())
    assert (result.first, result.last, len(result.bars)) == ("2024-01-02", "2024-01-04", 3)
    with pytest.raises(BarsError, match="at least one bar"):
        run([100, 101], start=day(9))


def test_columns_line_up_with_the_bars():
    result = run([100, 109, 90, 90, 70])
    assert list(result.columns.value) == pytest.approx(
        list(result.columns.cash + result.columns.shares * result.bars.close + result.columns.receivable)
    )
    assert [ACTIONS[code] for code in result.columns.action] == ["HOLD", "HOLD", "BUY", "HOLD", "BUY"]


BAD_OPTIONS = [
    ({"cash": -1.0}, "cash"),
    ({"cash": float("nan")}, "cash"),
    ({"cash": True}, "cash"),
    ({"stock_fraction": 1.1}, "stock_fraction"),
    ({"stock_fraction": -0.1}, "stock_fraction"),
    ({"shares": -1.0}, "shares"),
    ({"anchor": 100.0}, "anchor"),
    ({"anchor": 0.0, "shares": 1.0}, "anchor"),
    ({"fill": "open"}, "fill"),
    ({"execution": "lying"}, "execution"),
    ({"path": "hloc"}, "path"),
    ({"fill": "next_open", "execution": "resting"}, "fill"),
    ({"slippage_bps": -1.0}, "slippage_bps"),
    ({"slippage_bps": 10_000.0}, "slippage_bps"),
    ({"risk_free_rate": float("inf")}, "risk_free_rate"),
    ({"start": "yesterday"}, "date"),
]


@pytest.mark.parametrize("options,name", BAD_OPTIONS)
def test_options_that_cannot_be_are_refused_by_name(options, name):
    with pytest.raises(CellError) as caught:
        run([100, 101], **options)
    assert caught.value.parameter == name
    assert repr(caught.value.value) in str(caught.value)
