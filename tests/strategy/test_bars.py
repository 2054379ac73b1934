"""Bars: what is refused, and what is filled in."""

import numpy as np
import pytest

from tests.strategy.making import daily, intraday
from volbal.strategy import Bars, BarsError

COLUMNS = {
    "stamps": [10, 11, 12], "open": [1.0, 2.0, 3.0], "high": [2.0, 3.0, 4.0], "low": [1.0, 1.5, 2.0],
    "close": [1.5, 2.5, 3.5],
}  # fmt: skip


def make(**changes):
    return Bars(**{name: np.array(column) for name, column in {**COLUMNS, **changes}.items()})


BAD = [
    ({"stamps": [10, 12, 11]}, 2, "stamp", 11),
    ({"stamps": [10, 10, 11]}, 1, "stamp", 10),
    ({"open": [1.0, 0.0, 3.0]}, 1, "open", 0.0),
    ({"close": [1.5, 2.5, -1.0]}, 2, "close", -1.0),
    ({"high": [2.0, float("inf"), 4.0]}, 1, "high", float("inf")),
    ({"high": [2.0, 1.0, 4.0]}, 1, "high", 1.0),
    ({"volume": [1.0, -1.0, 1.0]}, 1, "volume", -1.0),
    ({"days": [5, 4, 6]}, 1, "day", 4),
]


@pytest.mark.parametrize("changes,row,what,value", BAD)
def test_a_bad_row_is_named_with_its_value(changes, row, what, value):
    with pytest.raises(BarsError) as caught:
        make(**changes)
    assert (caught.value.row, caught.value.value) == (row, value)
    assert str(caught.value) == f"bars, row {row}: {what} is {value!r}; expected {caught.value.expected}"


def test_a_gap_is_named():
    with pytest.raises(BarsError, match="row 1: low is nan"):
        make(low=[1.0, float("nan"), 2.0])


def test_no_bars_and_uneven_columns_are_refused():
    with pytest.raises(BarsError, match="at least one bar"):
        make(stamps=[])
    with pytest.raises(BarsError, match="length of close"):
        make(close=[1.0])


def test_an_unknown_resolution_is_refused():
    with pytest.raises(BarsError, match="daily or intraday"):
        Bars(**{name: np.array(column) for name, column in COLUMNS.items()}, resolution="weekly")


def test_missing_columns_are_filled():
    bars = make()
    assert (list(bars.volume), list(bars.days), list(bars.in_session)) == (
        [0.0] * 3,
        [10, 11, 12],
        [True] * 3,
    )
    assert bars.open.flags.c_contiguous
    assert len(bars) == 3


def test_an_open_outside_low_and_high_is_taken_as_it_is():
    assert make(open=[9.0, 2.0, 3.0]).open[0] == 9.0


def test_labels_are_dates_or_utc_moments():
    assert daily([1.0]).label(0) == "2024-01-01"
    assert intraday([[1.0, 2.0]]).label(1) == "1970-01-01T00:01:00Z"


def test_a_selection_of_everything_is_the_same_object():
    bars = daily([1.0, 2.0])
    assert bars.select() is bars
