"""Orders worked in slices (strategy 14), small enough to follow by hand, then for every history."""

from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.histories import minutes, working
from tests.strategy.making import PLAIN, daily, intraday, run
from tests.strategy.test_properties import SETTINGS
from volbal.strategy import (
    Action,
    CellError,
    CellState,
    Split,
    decide,
    decide_slice,
    expand_grid,
    round_down,
    schedule_of,
    simulate,
    sweep,
)  # fmt: skip
from volbal.strategy.numeric import micro

# 500 shares at 100 and 50,000 cash. At 110.01 it sells (100/110.01 − 1)·105005/110.01 = −86.9, in whole shares 86:
# 9,460.86, three slices of at most 4,000, of 28 each and the rest, 30.
SLICED = PLAIN.replace(slice_notional=4000.0)

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
    "none is more than the whole order would be by now": (
        [[100, 150, 111]],
        {"slice_notional": 16_000.0},
        # A quarter of 125,000 at 150: 208, two slices of 104. At 111 (100/111 − 1)·109,556/111 = −97.8.
        [(1, 104.0, 150.0), (2, 97.0, 111.0)],
        {"anchor": 131.179104, "sold_since_anchor": 0.0},  # (104·150 + 97·111) / 201 = 26,367 / 201
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


@dataclass
class Worked:
    """An order in slices as the reading by hand keeps it: shares, and currency in `gross`."""

    side: str
    ordered: float
    left: int
    filled: float = 0.0
    gross: float = 0.0


class ByHand:
    """Section 14 read aloud: asks the rule for a whole order at each look and follows the anchor through the trades."""

    def __init__(self, result):
        self.parameters = result.parameters
        # What a slice is not asked for again, its order having answered it.
        self.loose = result.parameters.replace(min_notional=0.0, min_quantity=0.0)
        self.trades = {trade.bar: trade for trade in result.trades}
        self.bars, self.columns = result.bars, result.columns
        self.anchor, self.since = float(result.bars.close[0]), {"BUY": 0.0, "SELL": 0.0}
        self.orders, self.worked = 0, None

    def whole(self, bar, *, of=None):
        """Return the whole order that the rule gives at a bar, what `of` filled itself not taken off."""
        since = dict(self.since)
        if of is not None:
            since[of.side] = max(round(since[of.side] - of.filled, 6), 0.0)
        cell = CellState(
            float(self.columns.cash[bar - 1]), float(self.columns.shares[bar - 1]), self.anchor,
            orders_today=self.orders if of is None else 0,
            bought_since_anchor=since["BUY"], sold_since_anchor=since["SELL"],
        )  # fmt: skip
        return decide(float(self.bars.close[bar]), cell, self.parameters if of is None else self.loose)

    def looks(self):
        """Yield each trade that there must be with the size of the whole order at its look."""
        for bar in range(1, len(self.bars)):
            if self.bars.days[bar] != self.bars.days[bar - 1]:
                self.orders = 0
            decision = None if self.worked is None else self.whole(bar, of=self.worked)
            if decision is not None and decision.action != self.worked.side:
                self.end()
            if self.worked is None:
                decision = self.whole(bar)
                if decision.action not in ("BUY", "SELL"):
                    continue
                self.begin(decision)
            yield self.trades[bar], abs(decision.quantity)
            self.book(self.trades[bar])
            if bar + 1 == len(self.bars) or self.bars.days[bar + 1] != self.bars.days[bar]:
                self.end()

    def begin(self, decision):
        ordered = abs(decision.quantity)
        schedule = schedule_of(ordered, decision.price, self.parameters)
        self.orders += 1
        self.worked = Worked(str(decision.action), ordered, 1 if schedule is None else schedule.count)

    def book(self, trade):
        worked = self.worked
        worked.filled = round(worked.filled + trade.quantity, 6)
        worked.gross += trade.quantity * trade.price
        self.since[worked.side] = round(self.since[worked.side] + trade.quantity, 6)
        worked.left -= 1
        if worked.left == 0:
            self.end()

    def end(self):
        worked, self.worked = self.worked, None
        if worked is not None and worked.filled >= worked.ordered / 2:
            self.anchor, self.since = float(micro(worked.gross / worked.filled)), {"BUY": 0.0, "SELL": 0.0}


@SETTINGS
@given(bars=minutes(largest_step=0.3), parameters=working())
def test_a_slice_is_never_more_than_the_whole_order_would_be_at_that_look(bars, parameters):
    alone = {"slice_interval_seconds": 1, "stop_loss": None, "auto_rebalance": False, "adaptive_multiple": 0.0}
    result = simulate(bars, parameters.replace(**alone))
    by_hand = ByHand(result)
    seen = []
    for trade, whole in by_hand.looks():
        assert trade.side == by_hand.worked.side
        assert trade.quantity <= whole
        seen.append(trade)
    assert tuple(seen) == result.trades
    assert by_hand.anchor == result.final.anchor


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
