"""Price bars as contiguous columns, checked on construction (strategy 10)."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from volbal.strategy.errors import BarsError, CellError
from volbal.strategy.numeric import BoolArray, FloatArray

Resolution = Literal["daily", "intraday"]
Day = date | str
EPOCH = date(1970, 1, 1).toordinal()
PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Hold one instrument's bars in time order, prices as traded (not adjusted).

    Every column has one element a bar. `stamps` are days since 1970-01-01 for daily bars and nanoseconds
    UTC of the bar's start for intraday ones; `days` are the exchange's local dates as days since
    1970-01-01 and `in_session` tells which bars start within the session. Missing volumes, days and session
    marks are filled: no volume, the stamp's own day, all in session. An open or close outside low
    and high is taken as it is, as real consolidated data has them.

    Raises `BarsError` naming the row, the value and what was expected.
    """

    stamps: npt.NDArray[np.int64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray = field(default_factory=lambda: np.zeros(0))
    days: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    in_session: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    symbol: str = ""
    resolution: Resolution = "daily"

    def __post_init__(self) -> None:
        """Make the columns contiguous and check every row."""
        if self.resolution not in ("daily", "intraday"):
            raise BarsError("resolution", self.resolution, "daily or intraday")
        self._fill_columns()
        self._validate_order()
        for name in PRICES:
            self._validate_price(name)
        self._refuse_first("high", self.high, self.high < self.low, "at least the low of the same bar")
        bad_volume = ~(np.isfinite(self.volume) & (self.volume >= 0.0))
        self._refuse_first("volume", self.volume, bad_volume, "a finite number of at least 0")

    def _fill_columns(self) -> None:
        stamps = np.ascontiguousarray(self.stamps, dtype=np.int64)
        count = len(stamps)
        if count == 0:
            raise BarsError("the number of bars", 0, "at least one bar")
        object.__setattr__(self, "stamps", stamps)
        for name in (*PRICES, "volume"):
            column = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, np.zeros(count) if name == "volume" and len(column) == 0 else column)
        per_day = 1 if self.resolution == "daily" else 86_400_000_000_000
        days = np.ascontiguousarray(self.days if len(self.days) else stamps // per_day, dtype=np.int32)
        session = self.in_session if len(self.in_session) else np.ones(count, dtype=np.bool_)
        object.__setattr__(self, "days", days)
        object.__setattr__(self, "in_session", np.ascontiguousarray(session, dtype=np.bool_))
        for name in (*PRICES, "volume", "days", "in_session"):
            if len(getattr(self, name)) != count:
                raise BarsError(f"the length of {name}", len(getattr(self, name)), f"{count}, one for each stamp")

    def _validate_order(self) -> None:
        later = np.concatenate(([False], np.diff(self.stamps) <= 0))
        self._refuse_first("stamp", self.stamps, later, "later than the row before: sorted, none twice")
        back = np.concatenate(([False], np.diff(self.days) < 0))
        self._refuse_first("day", self.days, back, "not before the day of the row before")

    def _validate_price(self, name: str) -> None:
        column = getattr(self, name)
        self._refuse_first(name, column, ~(np.isfinite(column) & (column > 0.0)), "a finite price above 0")

    def _refuse_first(self, what: str, column: npt.NDArray[np.generic], bad: BoolArray, expected: str) -> None:
        rows = np.flatnonzero(bad)
        if rows.size:
            raise BarsError(what, column[rows[0]].item(), expected, int(rows[0]))

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.stamps)

    @property
    def seconds(self) -> npt.NDArray[np.int64]:
        """Return each bar's stamp in seconds."""
        return self.stamps * 86_400 if self.resolution == "daily" else self.stamps // 1_000_000_000

    @property
    def spacing_seconds(self) -> int | None:
        """Return what usually lies between two bars of a day in seconds, None where no day has two."""
        if self.resolution == "daily":
            return 86_400
        gaps = np.diff(self.seconds)[np.diff(self.days) == 0]
        return int(np.median(gaps)) if len(gaps) else None

    def label(self, row: int) -> str:
        """Return a bar's stamp as text: the session date, or the UTC start with a Z."""
        stamp = int(self.stamps[row])
        if self.resolution == "daily":
            return date.fromordinal(stamp + EPOCH).isoformat()
        moment = datetime.fromtimestamp(stamp // 1_000_000_000, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def select(self, start: Day | None = None, end: Day | None = None, *, after_hours: bool = False) -> Self:
        """Return the bars between two exchange-local dates, both included, outside the session only if asked.

        Raises `BarsError` when none is left, for bars are never invented.
        """
        keep = np.ones(len(self), dtype=np.bool_) if after_hours else self.in_session.copy()
        if start is not None:
            keep &= self.days >= day_number(start)
        if end is not None:
            keep &= self.days <= day_number(end)
        if not keep.any():
            asked = f"start {start}, end {end}, after hours {'allowed' if after_hours else 'left out'}"
            raise BarsError("the selection", asked, "a range that holds at least one bar")
        if keep.all():
            return self
        names = ("stamps", *PRICES, "volume", "days", "in_session")
        columns = {name: getattr(self, name)[keep] for name in names}
        return type(self)(**columns, symbol=self.symbol, resolution=self.resolution)


def day_number(day: Day) -> int:
    """Return a date, or its ISO text, as days since 1970-01-01."""
    try:
        return (date.fromisoformat(day) if isinstance(day, str) else day).toordinal() - EPOCH
    except ValueError as error:
        raise CellError("date", day, "a date as YYYY-MM-DD") from error
