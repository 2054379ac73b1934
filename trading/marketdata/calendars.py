"""When an exchange trades and which day it is there. The library behind it is loaded on first use."""

from __future__ import annotations

import datetime as dt
import threading
import warnings
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from volbal.common import clock
from volbal.common.errors import Refused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST_DAY = dt.date(1998, 1, 1)
YEARS_AHEAD = 2
EXTENDED_OPEN = dt.time(4)
EXTENDED_CLOSE = dt.time(20)
# A daily close lies on the session's last instant, which is outside the session: it is stamped this much before.
STAMP_BEFORE_CLOSE = dt.timedelta(seconds=1)

_calendars: dict[str, ExchangeCalendar] = {}
_loading = threading.Lock()


class CalendarError(Refused):
    """A day, moment or exchange that no calendar covers."""

    code = "calendar"


@dataclass(frozen=True, slots=True)
class Session:
    """One regular session: `day` is the exchange's date, `open` and `close` are aware, in UTC; open ≤ t < close."""

    day: dt.date
    open: dt.datetime
    close: dt.datetime
    is_early_close: bool

    @property
    def stamp(self) -> dt.datetime:
        """The moment inside the session that a daily close is stamped with."""
        return self.close - STAMP_BEFORE_CLOSE


@dataclass(frozen=True)
class ExchangeCalendar:
    """The sessions of one exchange. Lunch breaks count as open, as bars do in strategy 10."""

    exchange: str
    zone: ZoneInfo
    sessions: Mapping[dt.date, Session]
    first_day: dt.date
    last_day: dt.date

    def session(self, day: dt.date) -> Session | None:
        """Return the session of an exchange's day, or None on a day without one. Raises CalendarError out of range."""
        if not self.first_day <= day <= self.last_day:
            raise CalendarError(
                f"The calendar of {self.exchange} does not cover {day}; expected {self.first_day} to {self.last_day}."
            )
        return self.sessions.get(day)

    def day_of(self, moment: dt.datetime) -> dt.date:
        """Return the exchange-local date of an aware moment: the trading day that counts orders and actions."""
        return _aware(moment).astimezone(self.zone).date()

    def is_open(self, moment: dt.datetime, *, after_hours: bool = False) -> bool:
        """Tell whether trading is allowed at an aware moment: in the regular session, or with `after_hours` from
        04:00 to 20:00 exchange-local on a day that has a session. Closing instants are outside."""
        session = self.session(self.day_of(moment))
        if session is None:
            return False
        if after_hours:
            return EXTENDED_OPEN <= moment.astimezone(self.zone).time() < EXTENDED_CLOSE
        return session.open <= moment < session.close

    def session_stamp(self, day: dt.date) -> dt.datetime:
        """Return the moment inside `day`'s session that its daily close is stamped with: one second before the close.
        Raises CalendarError on a day without a session."""
        session = self.session(day)
        if session is None:
            raise CalendarError(f"{self.exchange} has no session on {day}; expected one of its trading days.")
        return session.stamp

    def previous_session(self, day: dt.date) -> Session:
        """Return the last session strictly before `day`."""
        return self._neighbour(day, bisect_left(self._days, day) - 1)

    def next_session(self, day: dt.date) -> Session:
        """Return the first session strictly after `day`."""
        return self._neighbour(day, bisect_left(self._days, day + dt.timedelta(days=1)))

    def sessions_between(self, first: dt.date, last: dt.date) -> list[Session]:
        """Return the sessions from `first` to `last`, both included, in order."""
        self.session(first)
        self.session(last)
        start, end = bisect_left(self._days, first), bisect_left(self._days, last + dt.timedelta(days=1))
        return [self.sessions[day] for day in self._days[start:end]]

    def early_closes(self, first: dt.date, last: dt.date) -> list[Session]:
        """Return the sessions from `first` to `last`, both included, that end before the usual time."""
        return [session for session in self.sessions_between(first, last) if session.is_early_close]

    def days_and_sessions(self, stamps: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return the exchange-local day (days since 1970) of each stamp (UTC nanoseconds), and whether it lies in the
        regular session, open ≤ stamp < close (strategy 10). Raises CalendarError where a stamp is out of range."""
        import numpy as np
        import pandas as pd

        local = pd.DatetimeIndex(stamps, tz="UTC").tz_convert(self.zone).tz_localize(None)
        days = local.to_numpy().astype("datetime64[D]")
        if len(days):
            self.session(days.min().item())
            self.session(days.max().item())
        opens, closes = self._bounds
        position = np.searchsorted(opens, stamps, side="right") - 1
        inside = (position >= 0) & (stamps < closes[position])
        return days.astype(np.int32), inside

    def _neighbour(self, day: dt.date, position: int) -> Session:
        if not 0 <= position < len(self._days):
            raise CalendarError(
                f"The calendar of {self.exchange} has no session beside {day}; "
                f"it covers {self.first_day} to {self.last_day}."
            )
        return self.sessions[self._days[position]]

    @cached_property
    def _days(self) -> list[dt.date]:
        return list(self.sessions)

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        import numpy as np

        sessions = self.sessions.values()
        return (
            np.array([_nanoseconds(session.open) for session in sessions], np.int64),
            np.array([_nanoseconds(session.close) for session in sessions], np.int64),
        )


def exchange_calendar(exchange: str) -> ExchangeCalendar:
    """Return the calendar of an exchange by its ISO 10383 code (`XNYS`), made once in a process and again when the
    years ahead run out. Raises CalendarError for an unknown code."""
    with _loading:
        known = _calendars.get(exchange)
        if known is None or known.last_day < _last_day() - dt.timedelta(days=366):
            known = _calendars[exchange] = _load(exchange)
        return known


def is_open(exchange: str, moment: dt.datetime, *, after_hours: bool = False) -> bool:
    """Tell whether `exchange` trades at an aware moment (see ExchangeCalendar.is_open)."""
    return exchange_calendar(exchange).is_open(moment, after_hours=after_hours)


def _aware(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        raise CalendarError(f"{moment.isoformat()} has no time zone; expected an aware time, for example with +00:00.")
    return moment


def _nanoseconds(moment: dt.datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def _last_day() -> dt.date:
    return clock.now().date() + dt.timedelta(days=366 * YEARS_AHEAD)


def _load(exchange: str) -> ExchangeCalendar:
    source = _source(exchange)
    early = {stamp.date() for stamp in source.early_closes}
    schedule = source.schedule
    sessions = {
        day.date(): Session(day.date(), opened.to_pydatetime(), closed.to_pydatetime(), day.date() in early)
        for day, opened, closed in zip(schedule.index, schedule["open"], schedule["close"], strict=True)
    }
    zone = ZoneInfo(str(source.tz))
    return ExchangeCalendar(exchange, zone, sessions, max(FIRST_DAY, min(sessions)), _last_day())


def _source(exchange: str) -> Any:
    """Return the library's calendar from FIRST_DAY on, or from its own first day where that is later."""
    with warnings.catch_warnings():
        # The library calls what this pandas deprecates; nothing of it reaches us.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message="Series.values returning")
        import exchange_calendars

        last_day = _last_day().isoformat()
        try:
            return exchange_calendars.get_calendar(exchange, start=FIRST_DAY.isoformat(), end=last_day)
        except exchange_calendars.errors.InvalidCalendarName:
            raise CalendarError(
                f"{exchange} is no exchange we have a calendar for; expected an ISO 10383 code, for example XNYS."
            ) from None
        except ValueError:
            return exchange_calendars.get_calendar(exchange, end=last_day)
