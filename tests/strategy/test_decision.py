"""Decisions: their sentences, gates, limits that the golden table does not reach."""

import numpy as np
import pytest

from volbal.strategy import (
    GATE_REASONS,
    Action,
    CellError,
    CellState,
    Reason,
    StrategyParameters,
    decide,
    decide_many,
    gate_decision,
    next_triggers,
)  # fmt: skip
from volbal.strategy.sentences import thresholds_text

DEFAULT = StrategyParameters()
CELL = CellState(cash=50_000.0, shares=270.0, anchor=185.59)


def test_a_hold_says_where_it_would_act():
    assert decide(184.35, CELL, DEFAULT).sentence == (
        "Held: 184.35 is 0.67 % under the anchor 185.59; it buys at 180.02 or lower and sells at 191.16 or higher."
    )


def test_orders_say_what_they_do():
    buy, sell = decide(180.0, CELL, DEFAULT), decide(191.5, CELL, DEFAULT)
    assert buy.sentence.startswith("180.00 is 3.01 % under the anchor 185.59: buys 28.3")
    assert sell.sentence.startswith("191.50 is 3.18 % over the anchor 185.59: sells 27.3")
    assert buy.stock_share_after > buy.stock_share
    rebalance = decide(100.0, CellState(100.0, 100.0, 100.0), DEFAULT)
    assert rebalance.reason == "guardrail_rebalance"
    assert rebalance.sentence.startswith("Rebalances toward the 75.00 % guardrail: sells 24.")


BARE = {"auto_rebalance": False, "min_stock": 0.0, "sizing": "fixed_percentage"}
FULL = {"auto_rebalance": False}
FREE = {"min_notional": 0.0, "min_quantity": 5.0}
RICH = {"cash": 90_000.0, "shares": 900.0, "anchor": 100.0}
SKIPS = {
    "insufficient_funds": (90.0, CellState(0.01, 60.0, 100.0), {"max_stock": 1.0}, "does not buy one step"),
    "insufficient_shares": (110.0, CellState(90.0, 0.0, 100.0), BARE, "0 shares held are less than one step"),
    "at_guardrail": (90.0, CellState(10.0, 60.0, 100.0), FULL, "beyond the guardrail of 75"),
    "below_step": (
        90.0,
        CellState(100.0, 1.0, 100.0),
        {"quantity_step": 1.0},
        "less than one step of 1 share",
    ),
    "below_min_notional": (96.0, CellState(90.0, 1.0, 100.0), {}, "under the smallest of 100.00"),
    "below_min_quantity": (96.0, CellState(900.0, 10.0, 100.0), FREE, "under the smallest of 5 shares"),
    "daily_order_cap": (90.0, CellState(**RICH, orders_today=5), {}, "today's 5 orders are used up"),
    "already_filled": (90.0, CellState(**RICH, bought_since_anchor=900.0), {}, "all of it was filled"),
}


@pytest.mark.parametrize("reason", SKIPS)
def test_every_skip_names_its_obstacle(reason):
    price, cell, changes, words = SKIPS[reason]
    decision = decide(price, cell, StrategyParameters(**changes))
    assert (decision.action, decision.reason) == (Action.SKIP, reason)
    assert words in decision.sentence


def test_sentences_are_true_to_the_last_digit():
    # 10 in cash, yet an order costs 20: it is the commission that keeps it from buying.
    costly = StrategyParameters(commission_min=20.0, auto_rebalance=False)
    assert "cash of 10.00, less a commission of at least 20.00, does not buy one step" in (
        decide(90.0, CellState(10.0, 0.1, 100.0), costly).sentence
    )
    # 10 % of 999.995 is worth 99.9995: not shown as the 100.00 that it falls short of.
    parameters = StrategyParameters(sizing="fixed_percentage", auto_rebalance=False)
    assert "worth 99.99, under the smallest of 100.00" in (
        decide(110.0, CellState(1000.0, 9.09086364, 100.0), parameters).sentence
    )
    # An anchor or threshold of part of a cent is shown as such.
    assert decide(0.01, CellState(100.0, 1e4, 0.0101), StrategyParameters()).sentence == (
        "Held: 0.01 is 0.99 % under the anchor 0.0101; it buys at 0.009797 or lower and sells at 0.010403 or higher."
    )


def test_a_rebalance_beyond_the_cap_says_which_way_and_one_order_is_singular():
    once = StrategyParameters(max_orders_per_day=1)
    # V = 10100: (0.75·10100 − 10000) / (100·(1 − 0.75·0.0001)) = −24.2518…
    assert decide(100.0, CellState(100.0, 100.0, 100.0, orders_today=1), once).sentence == (
        "Skipped: 100.00 is at the anchor, but today's 1 order is used up; "
        "an order to sell 24.251818 shares had been due."
    )


def test_what_was_filled_since_the_anchor_was_set_is_taken_off_a_signal():
    whole = decide(90.0, CellState(9e4, 900.0, 100.0), DEFAULT)
    rest = decide(90.0, CellState(9e4, 900.0, 100.0, bought_since_anchor=40.0), DEFAULT)
    assert rest.quantity == pytest.approx(whole.quantity - 40.0, abs=1e-6)
    other_way = decide(90.0, CellState(9e4, 900.0, 100.0, sold_since_anchor=40.0), DEFAULT)
    assert other_way.quantity == whole.quantity
    sell = decide(110.0, CellState(9e4, 900.0, 100.0, sold_since_anchor=40.0), DEFAULT)
    assert sell.quantity == pytest.approx(decide(110.0, CellState(9e4, 900.0, 100.0), DEFAULT).quantity + 40.0)


def test_what_was_filled_before_does_not_hinder_a_rebalance():
    cell = CellState(100.0, 100.0, 100.0, sold_since_anchor=1000.0)
    assert decide(100.0, cell, DEFAULT).reason == "guardrail_rebalance"


def test_a_cell_without_anchor_or_value_says_so():
    assert decide(10.0, CellState(1.0, 1.0, None), DEFAULT).sentence.startswith("Held: there is no anchor")
    nothing = decide(10.0, CellState(0.0, 0.0, 10.0), DEFAULT)
    assert (nothing.stock_share, nothing.sentence) == (None, "Held: the cell has no value to trade with.")
    assert "is at the anchor" in decide(185.59, CELL, DEFAULT).sentence


def test_a_given_signal_replaces_the_one_of_price_and_anchor():
    assert decide(185.0, CELL, DEFAULT, signal=-1).signal == -1
    assert decide(150.0, CELL, DEFAULT, signal=0).action is Action.HOLD
    with pytest.raises(CellError, match="signal"):
        decide(185.0, CELL, DEFAULT, signal=2)


@pytest.mark.parametrize("reason", sorted(GATE_REASONS))
def test_a_gate_skips_with_a_sentence(reason):
    decision = gate_decision(reason, 184.35, CELL, DEFAULT)
    assert (decision.action, decision.reason, decision.quantity) == (Action.SKIP, Reason(reason), 0.0)
    assert decision.sentence.startswith("Not asked: ")


def test_a_reason_of_the_rule_is_no_gate():
    with pytest.raises(CellError, match="inside_band"):
        gate_decision("inside_band", 184.35, CELL, DEFAULT)


def test_many_cells_refuse_what_one_refuses():
    with pytest.raises(CellError, match="price of cell 1"):
        decide_many([1.0, 0.0], [CELL, CELL], [DEFAULT, DEFAULT])
    with pytest.raises(CellError, match="as many prices"):
        decide_many([1.0], [CELL, CELL], [DEFAULT])
    assert len(decide_many([], [], []).actions) == 0
    assert isinstance(decide_many([184.35], [CELL], [DEFAULT]).quantities, np.ndarray)


def test_the_next_triggers_are_the_thresholds():
    triggers = next_triggers(CELL, DEFAULT, price=184.35)
    assert triggers.buy.price == pytest.approx(180.0223, abs=1e-6)
    assert triggers.sell.price == pytest.approx(191.1577, abs=1e-6)
    assert (triggers.buy.reason, triggers.sell.reason) == ("trigger_down", "trigger_up")


def test_a_guardrail_nearer_than_the_trigger_comes_first():
    # (75 + 1) % stock stands at 0.76·25000 / (0.24·760) = 104.17
    cell = CellState(25_000.0, 760.0, 100.0)
    triggers = next_triggers(cell, StrategyParameters(trigger_up=0.2), price=100.0)
    assert (triggers.sell.reason, round(triggers.sell.price, 2)) == ("guardrail_rebalance", 104.17)


def test_there_is_no_next_trigger_where_the_rule_would_not_act():
    assert next_triggers(CellState(1.0, 1.0, None), DEFAULT).buy is None
    stuck = next_triggers(CellState(0.0, 10.0, 100.0), StrategyParameters(auto_rebalance=False))
    assert stuck.buy is None
    full = next_triggers(CellState(5e4, 500.0, 100.0, orders_today=5), DEFAULT)
    assert (full.buy, full.sell) == (None, None)


def test_an_order_too_small_at_its_trigger_is_found_where_it_has_grown():
    # 500 in cash, 5 shares, ratio 1: a sell is worth (1 − 100/P)·(5P + 500), which is 100 where
    # 5P² − 100P = 50000, at P = 110.4988; a buy is worth (100/P − 1)·(5P + 500), which is 100 at P = 90.4988.
    cell, parameters = CellState(500.0, 5.0, 100.0), StrategyParameters(rebalance_ratio=1.0)
    triggers = next_triggers(cell, parameters, price=101.0)
    assert (triggers.sell.reason, round(triggers.sell.price, 3)) == ("trigger_up", 110.499)
    assert (triggers.buy.reason, round(triggers.buy.price, 3)) == ("trigger_down", 90.499)
    assert next_triggers(cell, parameters, price=95.0).buy == triggers.buy  # under its trigger already


def test_a_share_exactly_at_its_guardrail_stays_there():
    # 100 shares at 25 beside 7,500 are exactly a quarter; the grid's next price down is beyond.
    parameters = StrategyParameters(guardrail_tolerance=0.0, min_notional=0.0, trigger_down=0.2)
    triggers = next_triggers(CellState(7_500.0, 100.0, 26.0), parameters, price=26.0)
    assert (triggers.buy.reason, triggers.buy.price) == ("guardrail_rebalance", 24.999999)


def test_rounding_never_sells_more_than_is_held():
    # 99,206,349.206349 shares are 9.9e13 steps: the noise that rounding forgives, 1e-13 of it, is 9 steps.
    parameters = StrategyParameters(
        sizing="fixed_percentage", rebalance_ratio=1.0, min_stock=0.0, max_trade_fraction=1.0
    )
    decision = decide(2.0, CellState(0.0, 99_206_349.206349, 1.0), parameters)
    assert decision.quantity == -99_206_349.206349


def test_a_cell_without_shares_buys_at_the_present_price():
    triggers = next_triggers(CellState(5e4, 0.0, 100.0), DEFAULT, price=100.0)
    assert (triggers.buy.price, triggers.buy.reason, triggers.sell) == (100.0, "guardrail_rebalance", None)


def test_prices_at_the_end_of_the_grid_have_no_trigger_below():
    tiny = next_triggers(CellState(1.0, 1.0, 0.000001), DEFAULT)
    assert tiny.buy is None


def test_thresholds_of_a_cell_without_anchor_are_not_said():
    assert thresholds_text(decide(10.0, CellState(1.0, 1.0, None), DEFAULT)) == ""
