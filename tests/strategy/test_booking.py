"""Fills, corporate actions and adaptive triggers as the live ledger books them."""

import math
from datetime import date

import pytest

from tests.strategy.making import EPOCH, day, run
from volbal.strategy import (
    CellError,
    Dividend,
    OrderFilled,
    Position,
    Split,
    StrategyParameters,
    adapt,
    affordable_quantity,
    anchor_after_dividend,
    apply_ex_date,
    apply_pay_date,
    apply_reinvestment,
    apply_split,
    book_fill,
    buy_limit,
    cents,
    dividend_entitlement,
    end_order,
    micro,
    opening_holding,
    round_down,
    split_learned_late,
)  # fmt: skip
from volbal.strategy.fills import commission_of
from volbal.strategy.parameters import parameter_row

PARAMETERS = StrategyParameters(commission_rate=0.001, commission_min=1.0)
ROW = parameter_row(PARAMETERS)
START = Position(cash=10_000.0, shares=100.0, anchor=50.0, average_cost=50.0)


def test_roundings():
    assert cents(1.005) == 1.01  # stored as 1.00499999999999989
    assert cents(0.285) == 0.29
    assert cents(-0.005) == 0.0
    assert micro(1.0000005) == 1.000001
    assert round_down(0.3, 0.1) == 0.3  # 0.3 / 0.1 is 2.9999999999999996
    assert round_down(2.9999999, 1.0) == 2.0
    assert round_down(5e6 + 0.5, 0.000001) == 5e6 + 0.5


def test_an_opening_is_rounded_like_the_start_of_a_backtest():
    assert opening_holding(130.31, 100_000.0, 0.5, 0.000001) == (383.700406, 50_000.0)
    assert opening_holding(130.31, 100_000.0, 0.5, 1.0) == (383.0, 50_091.27)


def test_parts_of_an_order_add_up_to_the_whole():
    position, filled = START, OrderFilled()
    for quantity, price in ((3.0, 10.333), (3.0, 10.333), (1.0, 10.337)):
        so_far = float(cents(filled.gross + quantity * price))
        booking, filled = book_fill(position, filled, quantity, price, float(commission_of(so_far, ROW)))
        position = booking.position
    whole, _ = book_fill(START, OrderFilled(), 7.0, (6 * 10.333 + 10.337) / 7, 1.0)
    assert (position.cash, position.shares) == (whole.position.cash, 107.0)
    assert position.average_cost == pytest.approx(whole.position.average_cost)
    assert (filled.notional, filled.commission) == (whole.notional, 1.0)
    assert position.bought_since_anchor == 7.0
    assert position.anchor == 50.0


def test_the_anchor_moves_when_half_of_an_order_filled():
    _, filled = book_fill(START, OrderFilled(), -5.0, 55.1234567, 1.0)
    sold = Position(cash=1.0, shares=1.0, anchor=50.0, sold_since_anchor=5.0)
    moved = end_order(sold, filled, 10.0)
    assert (moved.anchor, moved.sold_since_anchor) == (55.123457, 0.0)
    assert end_order(sold, filled, 10.1) is sold
    assert end_order(sold, OrderFilled(), 0.0) is sold


def test_a_brokers_fact_is_booked_even_where_it_makes_cash_negative():
    booking, _ = book_fill(Position(cash=10.0, shares=0.0), OrderFilled(), 1.0, 20.0, 0.35)
    assert (booking.position.cash, booking.commission) == (-10.35, 0.35)


def test_a_live_buy_is_cut_to_what_its_limit_can_cost():
    assert buy_limit(100.0) == 100.5
    assert affordable_quantity(1000.0, 5.0, 100.5, PARAMETERS) == 5.0
    cut = affordable_quantity(1000.0, 10.0, 100.5, PARAMETERS)
    assert cut == round_down((1000.0 - 0.01 - 1.0) / (100.5 * 1.001), 0.000001)
    assert cents(cut * 100.5) + 1.0 <= 1000.0


def test_a_split_moves_shares_anchor_cost_and_what_was_filled():
    position = Position(100.0, 10.5, anchor=70.0, average_cost=35.0, bought_since_anchor=2.0, sold_since_anchor=1.0)
    after = apply_split(position, 7.0)
    assert (after.shares, after.anchor, after.average_cost) == (73.5, 10.0, 5.0)
    assert (after.bought_since_anchor, after.sold_since_anchor) == (14.0, 7.0)
    assert apply_split(position, 7.0, anchor_set_before=False).anchor == 70.0
    assert apply_split(Position(0.0, 1.0), 3.0).anchor is None


def test_a_reverse_split_rounds_shares_down():
    assert apply_split(Position(0.0, 1.000001, anchor=1.0), 0.1).shares == 0.1
    assert split_learned_late(1.000001, 0.1) == -0.900001
    assert split_learned_late(10.0, 4.0) == 30.0


def test_a_dividend_is_due_on_its_ex_date_and_paid_on_its_pay_date():
    # 100 · 0.333 = 33.30; a quarter is 8.325 → 8.33; 24.97 net
    due, entitlement = apply_ex_date(START, 0.333, 0.25)
    assert (entitlement.gross, entitlement.tax, entitlement.net) == (33.3, 8.33, 24.97)
    assert (due.receivable, due.cash, due.anchor) == (24.97, 10_000.0, 49.667)
    paid = apply_pay_date(due, 24.97)
    assert (paid.receivable, paid.cash) == (0.0, 10_024.97)
    assert dividend_entitlement(100.0, 0.333, 0.25) == entitlement


def test_an_anchor_that_a_dividend_eats_is_unset():
    assert anchor_after_dividend(10.0, 4.0) == 6.0
    assert anchor_after_dividend(10.0, 10.0) is None
    assert apply_ex_date(Position(0.0, 1.0, anchor=1.0), 2.0, 0.0)[0].anchor is None
    assert apply_ex_date(Position(0.0, 1.0), 2.0, 0.0)[0].anchor is None


def test_reinvestment_is_limited_by_the_cash():
    position, bought = apply_reinvestment(Position(50.0, 10.0, average_cost=10.0), 100.0, 10.0, 1.0)
    assert (bought, position.cash, position.shares, position.average_cost) == (5.0, 0.0, 15.0, 10.0)
    same, nothing = apply_reinvestment(Position(-5.0, 10.0), 100.0, 10.0, 1.0)
    assert (nothing, same.cash, same.shares) == (0.0, -5.0, 10.0)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_actions_that_cannot_be_are_refused(value):
    with pytest.raises(CellError, match="dividend amount"):
        Dividend(date(2024, 1, 1), value)
    with pytest.raises(CellError, match="split ratio"):
        Split(date(2024, 1, 1), value)


ADAPTIVE = StrategyParameters(adaptive_multiple=2.0, adaptive_floor=0.001, adaptive_cap=0.5)
DAYS = [day(number).toordinal() - EPOCH for number in range(30)]
CLOSES = [100.0 * (1.02 if number % 2 else 1.0) for number in range(30)]


def test_triggers_stand_until_twenty_returns_are_known():
    assert adapt(StrategyParameters(), DAYS, CLOSES) == StrategyParameters()
    assert adapt(ADAPTIVE, DAYS[:20], CLOSES[:20]) == ADAPTIVE
    after = adapt(ADAPTIVE, DAYS[:21], CLOSES[:21])
    # every return is ± ln 1.02, so that σ is ln 1.02 by mean and by decay
    assert after.trigger_up == after.trigger_down == pytest.approx(2.0 * math.log(1.02))
    assert adapt(ADAPTIVE, DAYS, CLOSES).trigger_up == pytest.approx(2.0 * math.log(1.02))


def test_triggers_stay_between_floor_and_cap():
    assert adapt(ADAPTIVE.replace(adaptive_floor=0.3), DAYS, CLOSES).trigger_up == 0.3
    assert adapt(ADAPTIVE.replace(adaptive_cap=0.01), DAYS, CLOSES).trigger_up == 0.01


def test_the_newest_return_weighs_one_less_the_decay():
    closes = [*CLOSES[:21], CLOSES[20] * 1.1]
    variance = 0.94 * math.log(1.02) ** 2 + 0.06 * math.log(1.1) ** 2
    assert adapt(ADAPTIVE, DAYS[:22], closes).trigger_up == pytest.approx(2.0 * math.sqrt(variance))


def test_actions_leave_no_jump_in_the_volatility():
    # a dividend of 2 before a split in 4 between the same two closes enters as 2/4
    closes = [*CLOSES[:21], (CLOSES[20] * 1.02 - 2.0) / 4.0]
    sparse = [*DAYS[:21], DAYS[23]]
    dividends, splits = [Dividend(day(21), 2.0)], [Split(day(22), 4.0)]
    adjusted = adapt(ADAPTIVE, sparse, closes, dividends, splits)
    assert adjusted.trigger_up == pytest.approx(2.0 * math.log(1.02))
    # after the split it enters whole
    after = [*CLOSES[:21], CLOSES[20] * 1.02 / 4.0 - 2.0]
    swapped = adapt(ADAPTIVE, sparse, after, [Dividend(day(22), 2.0)], [Split(day(22), 4.0)])
    assert swapped.trigger_up == pytest.approx(2.0 * math.log(1.02))


def test_live_triggers_are_those_of_the_backtest():
    closes = CLOSES[:25]
    result = run([*closes, closes[-1] * 1.0395], ADAPTIVE.replace(min_notional=0.0))
    triggers = adapt(ADAPTIVE, DAYS[:25], closes)
    assert triggers.trigger_up < 0.0397
    before = run(closes, ADAPTIVE.replace(min_notional=0.0))
    crosses = result.bars.close[-1] >= before.final.anchor * (1 + triggers.trigger_up)
    assert (len(result.trades) > len(before.trades)) == bool(crosses)


def test_closes_that_cannot_be_are_refused():
    with pytest.raises(CellError, match="rising days"):
        adapt(ADAPTIVE, DAYS[:2][::-1], CLOSES[:2])
    with pytest.raises(CellError, match="rising days"):
        adapt(ADAPTIVE, DAYS[:3], CLOSES[:2])
    with pytest.raises(CellError, match="close"):
        adapt(ADAPTIVE, DAYS[:2], [1.0, 0.0])
