"""What is odd about a series of bars: gaps, repeats, outliers, jumps, volume, order of prices and standstills.

A report says what it found and how much of it; it changes nothing and refuses nothing. It is made when a series is
stored and travels with every run made on it. Prices are judged after known dividends and splits are taken out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.marketdata.calendars import CalendarError, ExchangeCalendar, exchange_calendar
from volbal.strategy import Bars, Dividend, Split
from volbal.strategy.bars import day_number
from volbal.strategy.timeline import ordered_actions

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

EPOCH = dt.date(1970, 1, 1)
SECOND = 1_000_000_000
EXAMPLES = 5
OUTLIER_DEVIATIONS = 10.0
RETURNS_AFTER = 0.5
JUMP = 0.2
STALE_BARS = {"daily": 5, "intraday": 30}
SPLIT_RATIOS = (1.25, 4 / 3, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 28, 30, 40, 50, 100)
NEAR_SPLIT = 0.04
ADJUSTED = "a known action does not show in the price: was it taken out of these prices before?"
MISSING_DOUBTFUL, MISSING_POOR = 0.01, 0.05
GRADES = {
    "clean": "Nothing odd was found.",
    "usable": "Small oddities; nothing that would mislead a run.",
    "doubtful": "Some prices or gaps deserve a look before a run is believed.",
    "poor": "Too much is missing or unexplained: a run on it is not to be trusted.",
}
RULES = {
    "missing": "Bars that the exchange's calendar expects between the first and the last and that are not there.",
    "outside": "Daily bars on days without a session, or intraday bars outside the session (left out of runs).",
    "repeated": "Bars equal to the one before in all four prices and in volume. A time that stands there twice is "
    "refused when a file is read.",
    "outliers": f"Closes more than {OUTLIER_DEVIATIONS:g} robust deviations (1.4826 times the median absolute "
    f"deviation of log returns) from the close before, and at least {1 - RETURNS_AFTER:.0%} of that taken back at the "
    "next bar.",
    "jumps": f"Moves of more than {JUMP:.0%} from one bar to the next, more than {OUTLIER_DEVIATIONS:g} robust "
    "deviations, that no known dividend or split explains and that stay.",
    "zero_volume": "Bars of the session without volume, in a series that has volume.",
    "order": "Bars whose open or close lies outside their low and high.",
    "stale": "Runs of at least {bars} bars of the session with the same close.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of oddity: how many bars it concerns and the worst examples, in words."""

    name: str
    count: int
    rule: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What a series is like: a grade in a word, what it means, and every check with its count, 0 included."""

    grade: str
    bars: int
    expected: int
    findings: tuple[Finding, ...]

    @property
    def meaning(self) -> str:
        """Return what the grade means."""
        return GRADES[self.grade]

    @property
    def sentence(self) -> str:
        """Return the report in a line."""
        found = [f"{one.count:,} {one.name.replace('_', ' ')}" for one in self.findings if one.count]
        return f"{self.grade}: {', '.join(found) if found else 'nothing odd'} in {self.bars:,} bars"

    def as_json(self) -> dict[str, Any]:
        """Return plain values, as rows and documents keep it."""
        return {**asdict(self), "meaning": self.meaning, "sentence": self.sentence}


def quality_of(
    bars: Bars, *, exchange: str, dividends: Sequence[Dividend] = (), splits: Sequence[Split] = ()
) -> QualityReport:
    """Check bars against the calendar of their exchange and the actions that are known.

    Where no calendar covers the bars, the checks against it say that they were left out.
    """
    expected, missing, outside = _against_calendar(bars, exchange)
    returns, raw = _returns(bars, dividends, splits)
    deviation = _robust_deviation(returns)
    spikes = _spikes(returns, deviation)
    findings = (
        missing,
        outside,
        _repeated(bars),
        _finding("outliers", bars, np.flatnonzero(spikes) + 1, lambda row: _move(bars, row), np.abs(returns)[spikes]),
        _jumps(bars, returns, raw, deviation, spikes),
        _zero_volume(bars),
        _order(bars),
        _stale(bars),
    )
    return QualityReport(_grade(findings, expected), len(bars), expected, findings)


def _grade(findings: Sequence[Finding], expected: int) -> str:
    counts = {one.name: one.count for one in findings}
    share = counts["missing"] / expected if expected else 0.0
    if share > MISSING_POOR or any(ADJUSTED in text for one in findings for text in one.examples):
        return "poor"
    if share > MISSING_DOUBTFUL or counts["outliers"] or counts["jumps"]:
        return "doubtful"
    return "usable" if any(counts.values()) else "clean"


def _finding(name: str, bars: Bars, rows: Rows, told: Any, sizes: Floats | None = None) -> Finding:
    """Return a finding on rows, its examples the largest first, or in time order where no size is given."""
    order = rows if sizes is None else rows[np.argsort(-sizes, kind="stable")]
    rule = RULES[name].format(bars=STALE_BARS[bars.resolution])
    return Finding(name, len(rows), rule, tuple(told(int(row)) for row in order[:EXAMPLES]))


def _against_calendar(bars: Bars, exchange: str) -> tuple[int, Finding, Finding]:
    try:
        calendar = exchange_calendar(exchange)
        expected, missing = _daily_gaps(bars, calendar) if bars.resolution == "daily" else _minute_gaps(bars, calendar)
        return expected, missing, _outside(bars, calendar)
    except CalendarError as error:
        told = (f"not checked: {error.message}",)
        return 0, Finding("missing", 0, RULES["missing"], told), Finding("outside", 0, RULES["outside"], told)


def _daily_gaps(bars: Bars, calendar: ExchangeCalendar) -> tuple[int, Finding]:
    first, last = _day(bars.days[0]), _day(bars.days[-1])
    sessions = np.array([day_number(one.day) for one in calendar.sessions_between(first, last)], np.int64)
    absent = ~np.isin(sessions, bars.days)
    ranges = [
        (int(end - start), _range_text(_day(sessions[start]), _day(sessions[end - 1]), int(end - start), "session"))
        for start, end in _runs(absent)
    ]
    return len(sessions), _gap_finding(int(absent.sum()), ranges)


def _minute_gaps(bars: Bars, calendar: ExchangeCalendar) -> tuple[int, Finding]:
    """Return how many bars whole sessions would have, and where they are missing, at the series' own step."""
    sessions = calendar.sessions_between(_day(bars.days[0]), _day(bars.days[-1]))
    opens = np.array([int(one.open.timestamp()) for one in sessions], np.int64) * SECOND
    closes = np.array([int(one.close.timestamp()) for one in sessions], np.int64) * SECOND
    stamps = bars.stamps[bars.in_session]
    step = _step(stamps)
    # Each session's bars with its bounds beside them: a gap is a distance of more than a step.
    edges = np.concatenate([opens - step, stamps, closes])
    edges.sort(kind="stable")
    distances = np.diff(edges)
    session = np.searchsorted(opens, edges[:-1] + step, side="right") - 1
    lacking = np.where(edges[:-1] < closes[session], np.maximum(distances // step - 1, 0), 0)
    places = np.flatnonzero(lacking)
    ranges = [
        (
            int(lacking[place]),
            _moments_text(int(edges[place] + step), int(edges[place + 1] - step), int(lacking[place])),
        )
        for place in places
    ]
    return int(((closes - opens) // step).sum()), _gap_finding(int(lacking.sum()), ranges)


def _gap_finding(count: int, ranges: Sequence[tuple[int, str]]) -> Finding:
    worst = sorted(ranges, key=lambda one: -one[0])[:EXAMPLES]
    return Finding("missing", count, RULES["missing"], tuple(text for _, text in worst))


def _step(stamps: Rows) -> int:
    """Return the usual distance between bars, in nanoseconds: a minute where there are too few to tell."""
    if len(stamps) < 3:
        return 60 * SECOND
    distances, counts = np.unique(np.diff(stamps), return_counts=True)
    return int(distances[np.argmax(counts)])


def _outside(bars: Bars, calendar: ExchangeCalendar) -> Finding:
    if bars.resolution == "daily":
        known = [day_number(one.day) for one in calendar.sessions_between(_day(bars.days[0]), _day(bars.days[-1]))]
        rows = np.flatnonzero(~np.isin(bars.days, known))
    else:
        rows = np.flatnonzero(~bars.in_session)
    return _finding("outside", bars, rows, bars.label)


def _repeated(bars: Bars) -> Finding:
    same = np.ones(len(bars) - 1, np.bool_)
    for column in (bars.open, bars.high, bars.low, bars.close, bars.volume):
        same &= column[1:] == column[:-1]
    return _finding("repeated", bars, np.flatnonzero(same) + 1, bars.label)


def _returns(bars: Bars, dividends: Sequence[Dividend], splits: Sequence[Split]) -> tuple[Floats, Floats]:
    """Return log returns of closes as a holder had them, and as quoted, one for each bar after the first."""
    before, now = bars.close[:-1], bars.close[1:].copy()
    for action in reversed(ordered_actions(dividends, splits)):
        row = int(np.searchsorted(bars.days, day_number(action.ex_date))) - 1
        if 0 <= row < len(now):
            now[row] = now[row] * action.ratio if isinstance(action, Split) else now[row] + action.amount
    return np.log(now / before), np.log(bars.close[1:] / before)


def _robust_deviation(returns: Floats) -> float:
    if not len(returns):
        return 0.0
    deviation = 1.4826 * float(np.median(np.abs(returns - np.median(returns))))
    return deviation if deviation > 0.0 else 1.2533 * float(np.mean(np.abs(returns)))


def _spikes(returns: Floats, deviation: float) -> NDArray[np.bool_]:
    """Return which returns lead to a close that the next bar takes back."""
    spikes = np.zeros(len(returns), np.bool_)
    if len(returns) > 1 and deviation > 0.0:
        far = np.abs(returns[:-1]) > OUTLIER_DEVIATIONS * deviation
        spikes[:-1] = far & (np.abs(returns[:-1] + returns[1:]) < RETURNS_AFTER * np.abs(returns[:-1]))
    return spikes


def _jumps(bars: Bars, returns: Floats, raw: Floats, deviation: float, spikes: NDArray[np.bool_]) -> Finding:
    backs = np.concatenate(([False], spikes[:-1])) if len(spikes) else spikes
    far = (np.abs(np.expm1(returns)) > JUMP) & (np.abs(returns) > OUTLIER_DEVIATIONS * deviation) & ~spikes & ~backs
    rows = np.flatnonzero(far) + 1

    def told(row: int) -> str:
        returned, quoted = float(returns[row - 1]), float(raw[row - 1])
        opened = returned - float(np.log(bars.close[row] / bars.open[row]))
        return f"{_move(bars, row)}{_suspicion(returned, opened, quoted)}"

    return _finding("jumps", bars, rows, told, np.abs(returns)[far])


def _suspicion(returned: float, opened: float, quoted: float) -> str:
    """Say what a move, to the close and to the open, looks like: a split nobody told of, or one counted twice."""
    if abs(returned - quoted) > NEAR_SPLIT and abs(quoted) < abs(returned):
        return f"; {ADJUSTED}"
    for ratio in SPLIT_RATIOS:
        for factor, words in ((ratio, f"{ratio:g} for 1"), (1.0 / ratio, f"1 for {ratio:g}")):
            if min(abs(one + float(np.log(factor))) for one in (returned, opened)) < NEAR_SPLIT:
                return f"; close to a split of {words}: is one missing?"
    return ""


def _zero_volume(bars: Bars) -> Finding:
    traded = bars.volume > 0.0
    rows = np.flatnonzero(~traded & bars.in_session) if traded.any() else np.zeros(0, np.int64)
    return _finding("zero_volume", bars, rows, bars.label)


def _order(bars: Bars) -> Finding:
    highest, lowest = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    beyond = np.maximum(highest - bars.high, bars.low - lowest)
    rows = np.flatnonzero(beyond > 0.0)

    def told(row: int) -> str:
        four = ", ".join(f"{name} {getattr(bars, name)[row]:g}" for name in ("open", "high", "low", "close"))
        return f"{bars.label(row)}: {four}"

    return _finding("order", bars, rows, told, (beyond / bars.close)[rows])


def _stale(bars: Bars) -> Finding:
    least = STALE_BARS[bars.resolution]
    places = np.flatnonzero(bars.in_session)
    closes = bars.close[places]
    runs = [(start, end + 1) for start, end in _runs(closes[1:] == closes[:-1]) if end + 1 - start >= least]
    worst = sorted(runs, key=lambda one: one[0] - one[1])[:EXAMPLES]
    told = tuple(
        f"{end - start:,} bars at {closes[start]:g} from {bars.label(int(places[start]))}" for start, end in worst
    )
    return Finding("stale", sum(end - start for start, end in runs), RULES["stale"].format(bars=least), told)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where flags stand, as first and one past the last of each run."""
    padded = np.concatenate(([False], flags, [False]))
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _move(bars: Bars, row: int) -> str:
    before, now = bars.close[row - 1], bars.close[row]
    return f"{bars.label(row)}: {before:g} to {now:g} ({now / before - 1.0:+.1%})"


def _day(number: Any) -> dt.date:
    return EPOCH + dt.timedelta(days=int(number))


def _range_text(first: dt.date, last: dt.date, count: int, noun: str) -> str:
    if first == last:
        return f"{first}"
    return f"{first} to {last} ({count:,} {noun}s)"


def _moments_text(first: int, last: int, count: int) -> str:
    texts = [dt.datetime.fromtimestamp(stamp // SECOND, dt.UTC).strftime("%Y-%m-%d %H:%M") for stamp in (first, last)]
    return f"{texts[0]} UTC" if count == 1 else f"{texts[0]} to {texts[1]} UTC ({count:,} bars)"
