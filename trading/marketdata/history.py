"""Sources of history: bars as traded, dividends and splits of one symbol over a range of days."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from django.conf import settings

from portfolios.models import Instrument
from trading.marketdata.calendars import exchange_calendar
from trading.marketdata.files import read_bars, read_dividends, read_splits
from volbal.common.errors import Refused
from volbal.strategy import Bars, BarsError, Dividend, Split

if TYPE_CHECKING:
    import pandas as pd

DAILY, MINUTE = "daily", "minute"
RESOLUTIONS = (DAILY, MINUTE)


class HistoryError(Refused):
    """A source that has not what was asked, or does not answer."""

    code = "history"


@dataclass(frozen=True, slots=True)
class HistoryRange:
    """The days asked for, both included, the exchange's, and the resolution: daily or minute."""

    start: dt.date
    end: dt.date
    resolution: str = DAILY

    def __post_init__(self) -> None:
        """Check the order of days and the resolution."""
        if self.start > self.end:
            raise HistoryError(f"start {self.start} is after end {self.end}; expected a day on or before it.")
        if self.resolution not in RESOLUTIONS:
            raise HistoryError(f"resolution is {self.resolution!r}; expected {' or '.join(RESOLUTIONS)}.")


class HistorySource(Protocol):
    """A source of history. Prices are as traded, not adjusted. Raises HistoryError."""

    name: str

    def bars(self, instrument: Instrument, asked: HistoryRange) -> Bars:
        """Return the bars of a range in time order."""

    def dividends(self, instrument: Instrument, start: dt.date, end: dt.date) -> list[Dividend]:
        """Return the cash dividends with an ex-date in the range, amounts as declared."""

    def splits(self, instrument: Instrument, start: dt.date, end: dt.date) -> list[Split]:
        """Return the splits with an ex-date in the range."""


class FolderSource:
    """Files in a folder: `SYMBOL.csv` or `.parquet` with bars (`SYMBOL-minute` for minutes), `dividends.csv` and
    `splits.csv` with those of every symbol."""

    name = "folder"

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = Path(settings.HISTORY_FOLDER if folder is None else folder)

    def bars(self, instrument: Instrument, asked: HistoryRange) -> Bars:
        """Return the bars of a range in time order."""
        stem = instrument.symbol if asked.resolution == DAILY else f"{instrument.symbol}-minute"
        path = self._find(f"{stem}.csv", f"{stem}.parquet")
        if path is None:
            raise HistoryError(f"{self._folder} holds no bars of {instrument.symbol}; expected {stem}.csv or .parquet.")
        bars = read_bars(path, symbol=instrument.symbol, exchange=instrument.exchange)
        expected = "daily" if asked.resolution == DAILY else "intraday"
        if bars.resolution != expected:
            raise HistoryError(f"{path} holds {bars.resolution} bars; expected {expected} ones.")
        return select(bars, asked, instrument.symbol)

    def dividends(self, instrument: Instrument, start: dt.date, end: dt.date) -> list[Dividend]:
        """Return the cash dividends with an ex-date in the range, amounts as declared."""
        path = self._find("dividends.csv", "dividends.parquet")
        found = [] if path is None else read_dividends(path, instrument.symbol).get(instrument.symbol, [])
        return [one for one in found if start <= one.ex_date <= end]

    def splits(self, instrument: Instrument, start: dt.date, end: dt.date) -> list[Split]:
        """Return the splits with an ex-date in the range."""
        path = self._find("splits.csv", "splits.parquet")
        found = [] if path is None else read_splits(path, instrument.symbol).get(instrument.symbol, [])
        return [one for one in found if start <= one.ex_date <= end]

    def _find(self, *names: str) -> Path | None:
        return next((self._folder / name for name in names if (self._folder / name).is_file()), None)


class YahooSource:
    """Yahoo through yfinance, which is installed beside (requirements/yahoo.txt) and imported on first use.

    Its prices, volumes and dividends have later splits taken out; here they are put back in.
    """

    name = "yahoo"

    def bars(self, instrument: Instrument, asked: HistoryRange) -> Bars:
        """Return the bars of a range in time order."""
        frame = self._history(instrument, asked.start, asked.end, "1d" if asked.resolution == DAILY else "1m")
        if frame.empty:
            raise HistoryError(f"Yahoo has no {asked.resolution} bars of {instrument.symbol} in that range.")
        days = np.array([stamp.date() for stamp in frame.index], dtype="datetime64[D]").astype(np.int64)
        factor = _later_splits(days, self._every_split(instrument))
        prices = {
            name: frame[name.capitalize()].to_numpy(np.float64) * factor for name in ("open", "high", "low", "close")
        }
        # Put back by a factor, a price has digits that were never traded.
        prices = {name: np.round(values, 6) for name, values in prices.items()}
        volume = frame["Volume"].to_numpy(np.float64) / factor
        if asked.resolution == DAILY:
            bars = Bars(days, **prices, volume=volume, symbol=instrument.symbol)
        else:
            stamps = np.array([int(stamp.timestamp()) for stamp in frame.index], np.int64) * 1_000_000_000
            local, inside = exchange_calendar(instrument.exchange).days_and_sessions(stamps)
            bars = Bars(
                stamps, **prices, volume=volume, days=local, in_session=inside, symbol=instrument.symbol,
                resolution="intraday",
            )  # fmt: skip
        return select(bars, asked, instrument.symbol)

    def dividends(self, instrument: Instrument, start: dt.date, end: dt.date) -> list[Dividend]:
        """Return the cash dividends with an ex-date in the range, amounts as declared; Yahoo tells no pay dates."""
        paid = self._ticker(instrument).dividends
        splits = self._every_split(instrument)
        found = []
        for stamp, amount in paid.items():
            day = stamp.date()
            if start <= day <= end:
                factor = float(_later_splits(np.array([np.datetime64(day, "D").astype(np.int64)]), splits)[0])
                found.append(Dividend(day, round(float(amount) * factor, 6)))
        return found

    def splits(self, instrument: Instrument, start: dt.date, end: dt.date) -> list[Split]:
        """Return the splits with an ex-date in the range."""
        return [one for one in self._every_split(instrument) if start <= one.ex_date <= end]

    def _every_split(self, instrument: Instrument) -> list[Split]:
        return [Split(stamp.date(), float(ratio)) for stamp, ratio in self._ticker(instrument).splits.items()]

    def _history(self, instrument: Instrument, start: dt.date, end: dt.date, interval: str) -> pd.DataFrame:
        try:
            frame: pd.DataFrame = self._ticker(instrument).history(
                start=start, end=end + dt.timedelta(days=1), interval=interval, auto_adjust=False, actions=False
            )
        except (OSError, ValueError, KeyError) as error:
            raise HistoryError(f"Yahoo gave no bars of {instrument.symbol}: {error}.") from error
        return frame.dropna(subset=["Open", "High", "Low", "Close"])

    def _ticker(self, instrument: Instrument) -> Any:
        try:
            library = importlib.import_module("yfinance")
        except ImportError:
            raise HistoryError(
                "The library yfinance is not installed.",
                hint="Install requirements/yahoo.txt, or choose another source.",
            ) from None
        return library.Ticker(instrument.symbol.upper().replace(".", "-"))


class AlpacaSource:
    """Alpaca's data, with the installation's own keys (ALPACA_DATA_KEY_ID). Raises DataUnreachableError without one."""

    name = "alpaca"

    def __init__(self) -> None:
        from trading.marketdata.alpaca_history import AlpacaHistory

        self._history = AlpacaHistory()

    def bars(self, instrument: Instrument, asked: HistoryRange) -> Bars:
        """Return the bars of a range in time order."""
        found = self._history.bars(
            instrument.symbol,
            asked.start,
            asked.end,
            "daily" if asked.resolution == DAILY else "minute",
            exchange=instrument.exchange,
        )
        if found is None:
            raise HistoryError(f"Alpaca has no bars of {instrument.symbol} from {asked.start} to {asked.end}.")
        return found

    def dividends(self, instrument: Instrument, start: dt.date, end: dt.date) -> list[Dividend]:
        """Return the cash dividends with an ex-date in the range, amounts as declared."""
        return self._history.dividends(instrument.symbol, start, end)

    def splits(self, instrument: Instrument, start: dt.date, end: dt.date) -> list[Split]:
        """Return the splits with an ex-date in the range."""
        return self._history.splits(instrument.symbol, start, end)


def _later_splits(days: Any, splits: list[Split]) -> Any:
    """Return for each day the product of the ratios of all splits after it."""
    factor = np.ones(len(days))
    for split in splits:
        factor[days < np.datetime64(split.ex_date, "D").astype(np.int64)] *= split.ratio
    return factor


def select(bars: Bars, asked: HistoryRange, symbol: str) -> Bars:
    """Return the bars of the days that were asked for. Raises HistoryError where there is none."""
    try:
        return bars.select(asked.start, asked.end, after_hours=True)
    except BarsError:
        raise HistoryError(f"There are no bars of {symbol} from {asked.start} to {asked.end}.") from None


_factories: dict[str, Callable[[], HistorySource]] = {
    AlpacaSource.name: AlpacaSource,
    FolderSource.name: FolderSource,
    YahooSource.name: YahooSource,
}


def source_names() -> list[str]:
    """Return the names of sources of history."""
    return sorted(_factories)


def history_source(name: str) -> HistorySource:
    """Return a source by its name. Raises HistoryError for one there is not."""
    factory = _factories.get(name)
    if factory is None:
        raise HistoryError(f"{name!r} is no source of history; expected one of {', '.join(source_names())}.")
    return factory()
