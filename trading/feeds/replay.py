"""Recorded bars as a feed with a time of its own."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from portfolios.models import Portfolio
from trading.feeds.base import PriceQuote
from trading.marketdata.calendars import exchange_calendar
from trading.marketdata.catalogue import load_actions, load_bars
from trading.models import BarSeries
from volbal.common import numbers
from volbal.strategy import Bars, Split
from volbal.strategy.bars import day_number

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Track:
    """One instrument's bars by stamp (UTC nanoseconds).

    `previous_closes` are the closes of the day before, in today's shares where a split came between; NaN on the
    first day.
    """

    instrument_id: int
    symbol: str
    stamps: NDArray[np.int64]
    opens: NDArray[np.float64]
    highs: NDArray[np.float64]
    lows: NDArray[np.float64]
    closes: NDArray[np.float64]
    previous_closes: NDArray[np.float64]

    def index(self, stamp: int) -> int | None:
        """Return the position of a stamp, or None where this instrument has no bar then."""
        place = int(np.searchsorted(self.stamps, stamp))
        return place if place < len(self.stamps) and self.stamps[place] == stamp else None

    def previous_close(self, place: int) -> Decimal | None:
        """Return the close that a day's change is measured from, or None on the first day."""
        close = float(self.previous_closes[place])
        return None if math.isnan(close) else numbers.price(close)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The stamps of several instruments' bars, merged; a step is one of them."""

    stamps: NDArray[np.int64]
    tracks: tuple[Track, ...]
    is_synthetic: bool

    def __len__(self) -> int:
        return len(self.stamps)

    def moment(self, step: int) -> dt.datetime:
        """Return the time of a step, aware, in UTC."""
        return dt.datetime.fromtimestamp(int(self.stamps[step]) // NANOSECONDS, dt.UTC)

    def quotes(self, step: int, *, source: str, received_at: dt.datetime) -> list[PriceQuote]:
        """Return the close of every instrument that has a bar at a step."""
        closes = {track.instrument_id: float(track.closes[place]) for track, place in self._at(step)}
        return self.quotes_at(step, closes, source=source, received_at=received_at)

    def quotes_at(
        self, step: int, prices: Mapping[int, float], *, source: str, received_at: dt.datetime
    ) -> list[PriceQuote]:
        """Return quotes at `prices`, by instrument id, of those that have a bar at a step."""
        moment = self.moment(step)
        return [
            PriceQuote(
                instrument_id=track.instrument_id,
                source=source,
                is_synthetic=self.is_synthetic,
                last=numbers.price(prices[track.instrument_id]),
                previous_close=track.previous_close(place),
                as_of=moment,
                received_at=received_at,
            )
            for track, place in self._at(step)
            if track.instrument_id in prices
        ]

    def paths(self, step: int, *, low_first: bool) -> dict[int, tuple[float, float, float, float]]:
        """Return the four points along which a bar is walked, by instrument id (strategy 12)."""
        found = {}
        for track, place in self._at(step):
            ends = float(track.highs[place]), float(track.lows[place])
            second, third = reversed(ends) if low_first else ends
            found[track.instrument_id] = (float(track.opens[place]), second, third, float(track.closes[place]))
        return found

    def _at(self, step: int) -> Iterator[tuple[Track, int]]:
        for track in self.tracks:
            place = track.index(int(self.stamps[step]))
            if place is not None:
                yield track, place

    def starting_at(self, step: int) -> frozenset[str]:
        """Return the symbols whose first bar is at a step."""
        return frozenset(track.symbol for track in self.tracks if track.index(int(self.stamps[step])) == 0)

    def close(self, step: int, symbol: str) -> float:
        """Return an instrument's close at a step. Raises LookupError where it has no bar then."""
        for track in self.tracks:
            place = track.index(int(self.stamps[step]))
            if track.symbol == symbol and place is not None:
                return float(track.closes[place])
        raise LookupError(f"{symbol} has no bar at {self.moment(step).isoformat()}")


def timeline_of(series: Iterable[BarSeries], trading_hours: str, start_day: dt.date | None = None) -> Timeline:
    """Return the merged timeline of catalogued series: bars of the regular session, or all with extended hours.

    Bars before the exchange's `start_day` are left out. Kept in memory by the content of its files.
    """
    ordered = sorted(series, key=lambda one: one.pk)
    contents = tuple((one.pk, one.instrument_id, one.sha256) for one in ordered)
    return _timeline(contents, trading_hours == Portfolio.TradingHours.EXTENDED, start_day)


@lru_cache(maxsize=32)
def _timeline(contents: tuple[tuple[int, int, str], ...], after_hours: bool, start_day: dt.date | None) -> Timeline:
    series_ids = [series_id for series_id, _, _ in contents]
    series = list(BarSeries.objects.filter(pk__in=series_ids).select_related("instrument").order_by("id"))
    tracks = tuple(_track(one, after_hours, start_day) for one in series)
    stamps = np.unique(np.concatenate([track.stamps for track in tracks]))
    return Timeline(stamps, tracks, any(one.is_synthetic for one in series))


def _track(series: BarSeries, after_hours: bool, start_day: dt.date | None) -> Track:
    bars = load_bars(series).select(start=start_day, after_hours=after_hours)
    stamps = _daily_stamps(series, bars) if series.resolution == BarSeries.Resolution.DAILY else bars.stamps
    previous = _previous_closes(bars, load_actions(series.instrument)[1])
    return Track(
        series.instrument_id, series.instrument.symbol, stamps, bars.open, bars.high, bars.low, bars.close, previous
    )


def _previous_closes(bars: Bars, splits: Iterable[Split]) -> NDArray[np.float64]:
    last_of_day_before = np.searchsorted(bars.days, bars.days, side="left") - 1
    known = last_of_day_before >= 0
    closes = np.where(known, bars.close[last_of_day_before], np.nan)
    days_before = np.where(known, bars.days[last_of_day_before], bars.days)
    for split in splits:
        day = day_number(split.ex_date)
        closes[(days_before < day) & (day <= bars.days)] /= split.ratio
    return closes


def _daily_stamps(series: BarSeries, bars: Bars) -> NDArray[np.int64]:
    """Stamp each daily close inside its session, where the calendar gate is open."""
    calendar = exchange_calendar(series.instrument.exchange)
    epoch = dt.date(1970, 1, 1)
    moments = (calendar.session_stamp(epoch + dt.timedelta(days=int(day))) for day in bars.days)
    return np.array([int(moment.timestamp()) * NANOSECONDS for moment in moments], dtype=np.int64)
