"""Sources of history, and joining what they give with what is there."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from portfolios.models import Instrument
from tests.trading.builders import SESSIONS, daily_bars
from trading.marketdata import alpaca_history
from trading.marketdata.files import write_bars
from trading.marketdata.history import (
    AlpacaSource,
    FolderSource,
    HistoryError,
    HistoryRange,
    YahooSource,
    history_source,
    source_names,
)
from trading.marketdata.merging import bars_merge
from volbal.common.errors import Refused
from volbal.strategy import Bars, Dividend, Split

IBM = Instrument(symbol="IBM", name="IBM", exchange="XNYS")
ASKED = HistoryRange(SESSIONS[0], SESSIONS[4])


class TestFolder:
    """Files that someone put there."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> FolderSource:
        write_bars(daily_bars([100, 101, 102, 51, 52, 53]), tmp_path / "IBM.parquet")
        (tmp_path / "dividends.csv").write_text(
            "symbol,ex_date,amount\nIBM,2024-03-06,1.5\nIBM,2024-06-06,1.5\nMSFT,2024-03-06,9\n"
        )
        (tmp_path / "splits.csv").write_text("symbol,ex_date,ratio\nIBM,2024-03-07,2\n")
        return FolderSource(tmp_path)

    def test_it_gives_the_days_that_were_asked_for(self, source: FolderSource) -> None:
        assert source.bars(IBM, ASKED).close.tolist() == [100, 101, 102, 51, 52]
        assert source.dividends(IBM, ASKED.start, ASKED.end) == [Dividend(dt.date(2024, 3, 6), 1.5)]
        assert source.splits(IBM, ASKED.start, ASKED.end) == [Split(dt.date(2024, 3, 7), 2.0)]

    def test_what_is_not_there_is_told_with_its_name(self, source: FolderSource) -> None:
        with pytest.raises(HistoryError, match="holds no bars of MSFT"):
            source.bars(Instrument(symbol="MSFT"), ASKED)
        with pytest.raises(HistoryError, match="IBM-minute"):
            source.bars(IBM, HistoryRange(SESSIONS[0], SESSIONS[1], "minute"))
        with pytest.raises(HistoryError, match="no bars of IBM from 2020"):
            source.bars(IBM, HistoryRange(dt.date(2020, 1, 2), dt.date(2020, 1, 3)))

    def test_an_empty_folder_has_no_actions(self, tmp_path: Path) -> None:
        assert FolderSource(tmp_path / "none").dividends(IBM, ASKED.start, ASKED.end) == []


class Ticker:
    """What yfinance's Ticker gives: a split of 2 on 7 March taken out of everything before it."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol

    @property
    def splits(self) -> pd.Series:
        return pd.Series([2.0], index=pd.DatetimeIndex(["2024-03-07"], tz="America/New_York"))

    @property
    def dividends(self) -> pd.Series:
        return pd.Series([0.75, 0.8], index=pd.DatetimeIndex(["2024-03-06", "2024-03-08"], tz="America/New_York"))

    def history(self, **asked: Any) -> pd.DataFrame:
        assert asked["auto_adjust"] is False
        index = pd.DatetimeIndex([day.isoformat() for day in SESSIONS[:5]], tz="America/New_York")
        closes = [50.0, 50.5, 51.0, 51.0, 52.0]
        prices = dict.fromkeys(("Open", "High", "Low", "Close"), closes)
        return pd.DataFrame({**prices, "Volume": [200, 200, 200, 100, 100]}, index=index)


class TestYahoo:
    """Against the interface of yfinance; nothing is fetched."""

    @pytest.fixture(autouse=True)
    def library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "yfinance", SimpleNamespace(Ticker=Ticker))

    def test_later_splits_are_put_back_into_prices_volumes_and_dividends(self) -> None:
        source = YahooSource()
        bars = source.bars(IBM, ASKED)
        assert bars.close.tolist() == [100, 101, 102, 51, 52]
        assert bars.volume.tolist() == [100, 100, 100, 100, 100]
        assert source.dividends(IBM, ASKED.start, ASKED.end) == [
            Dividend(dt.date(2024, 3, 6), 1.5),
            Dividend(dt.date(2024, 3, 8), 0.8),
        ]
        assert source.splits(IBM, ASKED.start, ASKED.end) == [Split(dt.date(2024, 3, 7), 2.0)]

    def test_without_the_library_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "yfinance", None)
        with pytest.raises(HistoryError, match="yfinance is not installed"):
            YahooSource().bars(IBM, ASKED)


class TestAlpaca:
    """What Alpaca's history gives, as a source; the history itself is tested against a server of its own."""

    @pytest.fixture
    def past(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        given: dict[str, Any] = {"bars": daily_bars([100, 101, 102])}

        class Past:
            def bars(self, symbol: str, start: dt.date, end: dt.date, resolution: str, *, exchange: str) -> Any:
                given["asked"] = (symbol, start, end, resolution, exchange)
                return given["bars"]

            def dividends(self, symbol: str, start: dt.date, end: dt.date) -> list[Dividend]:
                return [Dividend(start, 1.5, end)]

            def splits(self, symbol: str, start: dt.date, end: dt.date) -> list[Split]:
                return [Split(end, 2.0)]

        monkeypatch.setattr(alpaca_history, "AlpacaHistory", Past)
        return given

    def test_it_asks_for_the_range_on_the_instruments_exchange(self, past: dict[str, Any]) -> None:
        source = AlpacaSource()
        assert source.bars(IBM, ASKED).close.tolist() == [100, 101, 102]
        assert past["asked"] == ("IBM", ASKED.start, ASKED.end, "daily", "XNYS")
        assert source.dividends(IBM, ASKED.start, ASKED.end) == [Dividend(ASKED.start, 1.5, ASKED.end)]
        assert source.splits(IBM, ASKED.start, ASKED.end) == [Split(ASKED.end, 2.0)]

    def test_no_bars_are_told(self, past: dict[str, Any]) -> None:
        past["bars"] = None
        with pytest.raises(HistoryError, match="no bars of IBM"):
            AlpacaSource().bars(IBM, ASKED)


@pytest.mark.parametrize(
    "start, end, resolution, told",
    [
        (SESSIONS[1], SESSIONS[0], "daily", "is after end"),
        (SESSIONS[0], SESSIONS[1], "hourly", "expected daily or minute"),
    ],
)
def test_a_range_that_is_none_is_refused(start: dt.date, end: dt.date, resolution: str, told: str) -> None:
    with pytest.raises(HistoryError, match=told):
        HistoryRange(start, end, resolution)


def test_an_unknown_source_names_those_there_are() -> None:
    assert {"folder", "yahoo"} <= set(source_names())
    with pytest.raises(HistoryError, match="folder"):
        history_source("tape")


class TestMerging:
    """New bars over old ones."""

    def test_bars_of_both_are_kept_in_order_and_none_is_made_up(self) -> None:
        before = daily_bars([100, 101], days=SESSIONS[:2])
        merged = bars_merge(before, daily_bars([104, 105], days=SESSIONS[4:6]))
        assert merged.bars.close.tolist() == [100, 101, 104, 105]
        assert (merged.added, merged.corrected, merged.corrections) == (2, 0, ())

    def test_where_they_differ_the_new_one_stands_and_is_told(self) -> None:
        merged = bars_merge(daily_bars([100, 101, 102]), daily_bars([101.5, 102], days=SESSIONS[1:3]))
        assert merged.bars.close.tolist() == [100, 101.5, 102]
        assert (merged.added, merged.corrected) == (0, 1)
        assert merged.corrections == (
            "2024-03-05: open 101 is 101.5, high 101 is 101.5, low 101 is 101.5, close 101 is 101.5",
        )

    def test_the_same_again_changes_nothing(self) -> None:
        assert not bars_merge(daily_bars([100, 101]), daily_bars([100, 101])).is_changed

    def test_the_first_bars_are_all_new(self) -> None:
        assert bars_merge(None, daily_bars([100, 101])).added == 2

    def test_bars_before_those_there_are_go_first(self) -> None:
        merged = bars_merge(daily_bars([102], days=SESSIONS[2:3]), daily_bars([100, 101]))
        assert merged.bars.close.tolist() == [100, 101, 102]

    def test_many_differences_are_counted_past_the_first_two_hundred(self) -> None:
        stamps = np.arange(300)
        old, new = np.full(300, 100.0), np.full(300, 101.0)
        before, fresh = (Bars(stamps, one, one, one, one) for one in (old, new))
        merged = bars_merge(before, fresh)
        assert (merged.corrected, len(merged.corrections), merged.corrections[-1]) == (300, 201, "and 100 more")

    def test_days_and_minutes_do_not_mix(self) -> None:
        stamps = np.array([1_709_562_600_000_000_000])
        one = np.array([100.0])
        minutes = Bars(stamps, one, one, one, one, resolution="intraday")
        with pytest.raises(Refused, match="cannot join"):
            bars_merge(daily_bars([100.0]), minutes)
