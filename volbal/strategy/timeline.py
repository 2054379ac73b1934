"""Corporate actions laid over bars (strategy 8 and 10)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from volbal.strategy.bars import Bars, day_number
from volbal.strategy.corporate_actions import Dividend, Split
from volbal.strategy.numeric import FloatArray, IntArray

IS_SPLIT, IS_DIVIDEND = 0, 1


class Timeline(NamedTuple):
    """Hold the actions and payments that meet the bars, in the order they are applied.

    `action_*` has one element an action: the bar it is applied at, its kind, its ratio or amount, and for a
    dividend its number. `payment_*` has one element a dividend paid within the bars.
    """

    action_bar: IntArray
    action_kind: IntArray
    action_amount: FloatArray
    action_dividend: IntArray
    payment_bar: IntArray
    payment_dividend: IntArray


def ordered_actions(dividends: Sequence[Dividend], splits: Sequence[Split]) -> list[Dividend | Split]:
    """Return the actions in date order, splits before dividends of the same date."""
    return sorted([*splits, *dividends], key=lambda action: action.ex_date)


def lay_out(bars: Bars, dividends: Sequence[Dividend], splits: Sequence[Split]) -> Timeline:
    """Place every action and payment at the first bar of its date, or of the next date with a bar.

    Actions dated on or before the first bar are left out, and so are those after the last. Payments that meet
    the same bar are in the order of their pay dates.
    """
    first_day = int(bars.days[0])
    actions = [
        (_bar_of(bars, day_number(action.ex_date)), action)
        for action in ordered_actions(dividends, splits)
        if day_number(action.ex_date) > first_day
    ]
    inside = [(bar, action) for bar, action in actions if bar < len(bars)]
    numbers = np.cumsum([isinstance(action, Dividend) for _, action in inside], dtype=np.int64) - 1
    payments = sorted(
        (max(bar, _bar_of(bars, _payment_day(action))), _payment_day(action), int(number))
        for (bar, action), number in zip(inside, numbers, strict=True)
        if isinstance(action, Dividend)
    )
    paid = [payment for payment in payments if payment[0] < len(bars)]
    return Timeline(
        np.array([bar for bar, _ in inside], dtype=np.int64),
        np.array([IS_SPLIT if isinstance(a, Split) else IS_DIVIDEND for _, a in inside], dtype=np.int64),
        np.array([a.ratio if isinstance(a, Split) else a.amount for _, a in inside], dtype=np.float64),
        numbers,
        np.array([bar for bar, _, _ in paid], dtype=np.int64),
        np.array([number for _, _, number in paid], dtype=np.int64),
    )


def _payment_day(dividend: Dividend) -> int:
    return day_number(dividend.ex_date if dividend.pay_date is None else dividend.pay_date)


def _bar_of(bars: Bars, day: int) -> int:
    return int(np.searchsorted(bars.days, day))
