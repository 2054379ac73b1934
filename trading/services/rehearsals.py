"""What a limit would have done in the past: pure arithmetic over days and orders, for books and backtests alike.

A trip is taken to last until a person resumes some days later. What it would have saved, or cost, is the difference to
what was really there then: the shares and cash of the evening of the trip held still, with all that came in and out of
them but the trades that the halt would have kept from being made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Value at the second day's end of what was held at the first's, in currency; None where nobody can say.
Still = Callable[[int, int], float | None]


@dataclass(frozen=True, slots=True)
class Episode:
    """One time a limit would have tripped: from when until when, what was measured, and what it would have saved.

    `saved` is currency, negative for a cost; None where it cannot be computed or nothing would have been done.
    """

    start: dt.date
    end: dt.date
    measured: float
    saved: float | None
    what: str = ""

    @property
    def days(self) -> int:
        """Return for how many days it would have held."""
        return (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a limit would have done between two days."""

    first: dt.date | None
    last: dt.date | None
    episodes: tuple[Episode, ...]

    @property
    def saved(self) -> float | None:
        """Return what it would have saved in all, in currency, over the episodes where that is known."""
        known = [one.saved for one in self.episodes if one.saved is not None]
        return sum(known) if known else None

    @property
    def held_days(self) -> int:
        """Return for how many days it would have held in all."""
        return sum(one.days for one in self.episodes)

    @property
    def summary(self) -> str:
        """Say it in a sentence."""
        if self.first is None:
            return "there is no history to look at yet."
        span = f"from {self.first} to {self.last}"
        if not self.episodes:
            return f"{span} it would never have tripped."
        times = "once" if len(self.episodes) == 1 else f"{len(self.episodes)} times"
        told = f"{span} it would have tripped {times}, and held for {self.held_days} days in all"
        if self.saved is None:
            return f"{told}."
        return f"{told}; that would have {'saved' if self.saved >= 0 else 'cost'} {abs(self.saved):,.2f}."


@dataclass(frozen=True, slots=True, eq=False)
class DayValues:
    """Days in order with the value at their end and what people moved in on them, in currency."""

    days: Sequence[dt.date]
    value: Floats
    flow: Floats
    still: Still

    @property
    def ratios(self) -> Floats:
        """Return the growth of each day; the first day, and one that began with nothing, count 1."""
        before = np.concatenate([[0.0], self.value[:-1]]) + self.flow
        grown = np.divide(self.value, before, out=np.ones(len(self.value)), where=before > 0.0)
        return grown


def by_drawdown(series: DayValues, threshold: float, resume_after_days: int, acts: bool) -> list[Episode]:
    """Return when the value stood `threshold`, a fraction, below its peak; the peak counts anew after each trip."""
    found, ratios = [], series.ratios
    index = peak = 1.0
    position = 0
    while position < len(ratios):
        index *= float(ratios[position])
        peak = max(peak, index)
        if 1.0 - index / peak >= threshold:
            end = _resumed(series.days, position, resume_after_days)
            found.append(_episode(series, position, end, 1.0 - index / peak, acts))
            index = peak = 1.0
            position = end
        position += 1
    return found


def by_day(
    series: DayValues, measured: Sequence[float], threshold: float, resume_after_days: int, acts: bool
) -> list[Episode]:
    """Return when a figure of the day, in the unit of `threshold`, reached it; days that a trip holds are passed."""
    found, position = [], 0
    while position < len(measured):
        end = position
        if measured[position] >= threshold:
            end = _resumed(series.days, position, resume_after_days)
            found.append(_episode(series, position, end, float(measured[position]), acts))
        position = end + 1
    return found


def counts_in_window(moments: Sequence[dt.datetime], days: Sequence[dt.date], window_seconds: int) -> list[float]:
    """Return for each day the most events within a window that ended on it; moments are in order and UTC."""
    most = dict.fromkeys(days, 0.0)
    window, first = dt.timedelta(seconds=window_seconds), 0
    for number, moment in enumerate(moments):
        while moments[first] <= moment - window:
            first += 1
        day = moment.date()
        most[day] = max(most.get(day, 0.0), float(number - first + 1))
    return [most[day] for day in days]


def _resumed(days: Sequence[dt.date], position: int, after_days: int) -> int:
    """Return the position of the first day on which a person resumes; the last where there is none."""
    back = days[position] + dt.timedelta(days=after_days)
    return next((later for later in range(position, len(days)) if days[later] >= back), len(days) - 1)


def _episode(series: DayValues, start: int, end: int, measured: float, acts: bool) -> Episode:
    still = series.still(start, end) if acts else None
    saved = None if still is None else still - float(series.value[end])
    return Episode(series.days[start], series.days[end], measured, saved)
