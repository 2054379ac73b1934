"""What is odd about a series is found, counted, shown by its worst examples, and graded in a word."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from tests.trading.builders import SESSIONS, daily_bars
from trading.marketdata.calendars import exchange_calendar
from trading.marketdata.quality import Finding, QualityReport, quality_of
from volbal.strategy import Bars, Dividend, Split

QUIET = [100.0, 100.5, 100.1, 100.7, 100.2, 100.9, 100.4, 101.0, 100.6, 101.2, 100.8, 101.1, 100.7, 101.3, 100.9]
MINUTE = 60 * 1_000_000_000


def report(bars: Bars, **known: object) -> QualityReport:
    return quality_of(bars, exchange="XNYS", **known)  # type: ignore[arg-type]  # dividends and splits by name


def finding(found: QualityReport, name: str) -> Finding:
    return next(one for one in found.findings if one.name == name)


def minute_bars(days: int = 2, leave_out: slice | list[int] | None = None) -> Bars:
    """Return whole sessions of minutes from 4 March 2024 on, some left out by place."""
    calendar = exchange_calendar("XNYS")
    sessions = [calendar.session(day) for day in SESSIONS[:days]]
    stamps = np.concatenate(
        [
            np.arange(int(one.open.timestamp()), int(one.close.timestamp()), 60, np.int64) * 1_000_000_000
            for one in sessions
            if one is not None
        ]
    )
    keep = np.ones(len(stamps), np.bool_)
    if leave_out is not None:
        keep[leave_out] = False
    stamps = stamps[keep]
    close = 100 + np.arange(len(stamps)) % 7 * 0.01
    on, inside = calendar.days_and_sessions(stamps)
    return Bars(stamps, close, close + 1, close - 1, close, np.ones(len(stamps)), on, inside, resolution="intraday")


def test_whole_quiet_days_are_clean() -> None:
    found = report(daily_bars(QUIET))
    assert (found.grade, found.sentence) == ("clean", "clean: nothing odd in 15 bars")
    assert found.expected == 15


def test_missing_sessions_are_counted_against_the_calendar_as_ranges() -> None:
    days = [day for day in SESSIONS[:15] if day not in SESSIONS[4:7]]
    found = report(daily_bars(QUIET[:12], days=days))
    missing = finding(found, "missing")
    # 8, 11 and 12 March; the weekend between is no gap.
    assert (missing.count, missing.examples) == (3, ("2024-03-08 to 2024-03-12 (3 sessions)",))
    assert found.grade == "poor"


def test_a_bar_on_a_day_without_a_session_is_told() -> None:
    days = sorted([*SESSIONS[:14], dt.date(2024, 3, 9)])
    assert finding(report(daily_bars(QUIET, days=days)), "outside").examples == ("2024-03-09",)


def test_whole_minutes_lack_nothing() -> None:
    found = report(minute_bars())
    assert (found.expected, finding(found, "missing").count, found.grade) == (780, 0, "clean")


@pytest.mark.parametrize(
    "leave_out, count, worst",
    [
        ([0, 1], 2, "2024-03-04 14:30 to 2024-03-04 14:31 UTC (2 bars)"),
        ([389], 1, "2024-03-04 20:59 UTC"),
        (slice(10, 15), 5, "2024-03-04 14:40 to 2024-03-04 14:44 UTC (5 bars)"),
        (slice(385, 395), 10, "2024-03-04 20:55 to 2024-03-04 20:59 UTC (5 bars)"),
    ],
    ids=["at the open", "at the close", "within", "over night"],
)
def test_missing_minutes_are_counted_within_the_session(leave_out: slice, count: int, worst: str) -> None:
    missing = finding(report(minute_bars(leave_out=leave_out)), "missing")
    assert (missing.count, missing.examples[0]) == (count, worst)


def test_a_session_without_any_minute_is_missing_whole() -> None:
    bars = minute_bars(3, leave_out=slice(390, 780))
    assert finding(report(bars), "missing").examples == ("2024-03-05 14:30 to 2024-03-05 20:59 UTC (390 bars)",)


def test_a_price_that_the_next_bar_takes_back_is_an_outlier_and_no_jump() -> None:
    closes = [*QUIET]
    closes[7] = 10.1
    found = report(daily_bars(closes))
    assert finding(found, "outliers").examples == ("2024-03-13: 100.4 to 10.1 (-89.9%)",)
    assert (finding(found, "jumps").count, found.grade) == (0, "doubtful")


@pytest.mark.parametrize(
    "factor, words", [(0.5, "2 for 1"), (1 / 7, "7 for 1"), (10.0, "1 for 10"), (2 / 3, "1.5 for 1")]
)
def test_a_jump_near_a_ratio_suggests_a_missing_split(factor: float, words: str) -> None:
    closes = [*QUIET[:8], *(price * factor for price in QUIET[8:])]
    found = report(daily_bars(closes))
    assert f"close to a split of {words}: is one missing?" in finding(found, "jumps").examples[0]


def test_a_split_that_is_known_explains_it() -> None:
    closes = [*QUIET[:8], *(price / 2 for price in QUIET[8:])]
    assert report(daily_bars(closes), splits=[Split(SESSIONS[8], 2.0)]).grade == "clean"


def test_a_large_dividend_that_is_known_explains_it() -> None:
    closes = [*QUIET[:8], *(price - 40 for price in QUIET[8:])]
    bars = daily_bars(closes)
    assert finding(report(bars), "jumps").count == 1
    assert report(bars, dividends=[Dividend(SESSIONS[8], 40.0)]).grade == "clean"


def test_prices_adjusted_before_are_found_by_the_split_they_do_not_show() -> None:
    found = report(daily_bars(QUIET), splits=[Split(SESSIONS[8], 2.0)])
    assert "was it taken out of these prices before?" in finding(found, "jumps").examples[0]
    assert found.grade == "poor"


def test_volume_order_repeats_and_standstills_are_counted() -> None:
    closes = np.array([*QUIET[:5], *[100.5] * 6, *QUIET[5:10]])
    stamps = daily_bars(closes).stamps
    opened = closes.copy()
    opened[2] = 120.0
    volume = np.array([100.0 + row for row in range(16)])
    volume[3] = 0.0
    volume[8] = volume[9]
    found = report(Bars(stamps, opened, closes + 1, closes - 1, closes, volume, symbol="IBM"))
    counts = {one.name: one.count for one in found.findings if one.count}
    assert counts == {"zero_volume": 1, "order": 1, "repeated": 1, "stale": 6}
    assert finding(found, "stale").examples == ("6 bars at 100.5 from 2024-03-11",)
    assert "open 120" in finding(found, "order").examples[0]
    assert found.grade == "usable"


def test_a_series_without_any_volume_has_no_zero_volume() -> None:
    assert finding(report(daily_bars(QUIET)), "zero_volume").count == 0


def test_one_bar_alone_is_judged_too() -> None:
    assert report(daily_bars([100.0])).grade == "clean"


def test_an_exchange_without_a_calendar_says_what_was_left_out() -> None:
    found = quality_of(daily_bars(QUIET), exchange="NOWHERE")
    assert finding(found, "missing").examples[0].startswith("not checked: NOWHERE")


def test_it_is_kept_as_plain_values() -> None:
    kept = report(daily_bars(QUIET)).as_json()
    assert (kept["grade"], kept["bars"], len(kept["findings"])) == ("clean", 15, 8)
