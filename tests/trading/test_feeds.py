"""Where prices come from: timelines of several instruments, invented prices, and where those are refused."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portfolios.models import Portfolio
from tests.portfolios.builders import make_instrument
from tests.trading.builders import OPEN, SESSIONS, Desk, make_actions, make_replay, make_series, quote
from trading.brokers.registry import broker_names, broker_of
from trading.feeds.base import FeedUnreachableError
from trading.feeds.registry import feed_of
from trading.feeds.replay import timeline_of
from trading.feeds.synthetic import SyntheticFeed
from trading.feeds.yahoo import YahooFeed
from trading.marketdata.catalogue import series_store
from trading.models import BarSeries, Quote, ReplayRun
from trading.services.price_limits import PriceLimits
from trading.services.pricing import history_take, prices_judge
from trading.services.reference_price import reference_price, spread_bps
from trading.services.replay_runs import replay_run_steps
from volbal.common.errors import Refused
from volbal.strategy import Bars, BarsError, Split

MONDAY, TUESDAY, WEDNESDAY = SESSIONS[:3]


def closes_before(series: list[BarSeries], steps: int) -> list[Decimal | None]:
    """Return what the day's change of a lone instrument is measured from at each step."""
    timeline = timeline_of(series, "regular")
    return [timeline.quotes(step, source="x", received_at=OPEN)[0].previous_close for step in range(steps)]


class TestTimeline:
    @pytest.fixture
    def pair(self, desk: Desk) -> list[object]:
        """IBM on Monday and Wednesday, AAPL on Tuesday and Wednesday."""
        return [
            make_series([100, 102], days=[MONDAY, WEDNESDAY]),
            make_series([50, 51], symbol="AAPL", days=[TUESDAY, WEDNESDAY]),
        ]

    def test_a_step_is_a_day_that_any_of_them_has(self, pair: list[object]) -> None:
        timeline = timeline_of(pair, "regular")
        days = [timeline.moment(step).date() for step in range(len(timeline))]
        assert days == [MONDAY, TUESDAY, WEDNESDAY]
        prices = [
            {one.instrument_id: one.last for one in timeline.quotes(step, source="x", received_at=OPEN)}
            for step in range(3)
        ]
        ibm, aapl = make_instrument("IBM").pk, make_instrument("AAPL").pk
        assert prices == [{ibm: 100}, {aapl: 50}, {ibm: 102, aapl: 51}]

    def test_a_close_is_dated_inside_its_session(self, pair: list[object]) -> None:
        timeline = timeline_of(pair, "regular")
        assert timeline.moment(0) == dt.datetime(2024, 3, 4, 20, 59, 59, tzinfo=dt.UTC)

    def test_the_close_before_comes_along(self, pair: list[object]) -> None:
        timeline = timeline_of(pair, "regular")
        quotes = {one.instrument_id: one for one in timeline.quotes(2, source="x", received_at=OPEN)}
        assert quotes[make_instrument("IBM").pk].previous_close == 100
        assert timeline.quotes(0, source="x", received_at=OPEN)[0].previous_close is None

    def test_a_split_is_taken_out_of_the_close_before(self, desk: Desk) -> None:
        series = make_series([100, 52, 53])
        make_actions(Split(TUESDAY, 2.0))
        assert closes_before([series], 3) == [None, 50, 52]

    def test_every_minute_is_measured_from_the_day_before(self, desk: Desk) -> None:
        minutes = [dt.datetime(2024, 3, day, 15, minute, tzinfo=dt.UTC) for day in (4, 5) for minute in (0, 1)]
        stamps = np.array([int(one.timestamp()) * 1_000_000_000 for one in minutes], dtype=np.int64)
        days = np.array([(one.date() - dt.date(1970, 1, 1)).days for one in minutes], dtype=np.int32)
        prices = np.array([10.0, 11.0, 12.0, 13.0])
        bars = Bars(stamps, prices, prices, prices, prices, days=days, symbol="IBM", resolution="intraday")
        series = series_store(instrument=make_instrument("IBM"), bars=bars, source="hand-made")
        assert closes_before([series], 4) == [None, None, 11, 11]

    def test_it_may_start_later(self, pair: list[object]) -> None:
        timeline = timeline_of(pair, "regular", TUESDAY)
        assert [timeline.moment(step).date() for step in range(len(timeline))] == [TUESDAY, WEDNESDAY]
        with pytest.raises(BarsError, match="start 2030-01-01"):
            timeline_of(pair, "regular", dt.date(2030, 1, 1))

    def test_each_says_where_it_starts_and_where_it_has_no_price(self, pair: list[object]) -> None:
        timeline = timeline_of(pair, "regular")
        assert [timeline.starting_at(step) for step in range(3)] == [{"IBM"}, {"AAPL"}, set()]
        assert timeline.close(2, "AAPL") == 51
        with pytest.raises(LookupError, match="AAPL has no bar at 2024-03-04"):
            timeline.close(0, "AAPL")

    def test_cells_open_at_their_own_first_close(self, desk: Desk, pair: list[object]) -> None:
        run = make_replay(desk.account, *pair)
        replay_run_steps(run=run, steps=3)
        opened = {cell.instrument.symbol: cell for cell in run.portfolio.cells.select_related("instrument")}
        assert (opened["IBM"].opened_at.date(), opened["IBM"].opening_price) == (MONDAY, 100)
        assert (opened["AAPL"].opened_at.date(), opened["AAPL"].opening_price) == (TUESDAY, 50)
        assert [opened[name].evaluations.count() for name in ("IBM", "AAPL")] == [2, 2]

    def test_minutes_outside_the_session_are_left_out_unless_asked_for(self, desk: Desk) -> None:
        minutes = [
            dt.datetime(2024, 3, 7, hour, minute, tzinfo=dt.UTC) for hour, minute in ((14, 29), (14, 30), (21, 0))
        ]
        stamps = np.array([int(one.timestamp()) * 1_000_000_000 for one in minutes], dtype=np.int64)
        close = np.array([99.0, 100.0, 101.0])
        bars = Bars(
            stamps, close, close, close, close, in_session=np.array([False, True, False]), symbol="IBM",
            resolution="intraday",
        )  # fmt: skip
        series = series_store(instrument=make_instrument("IBM"), bars=bars, source="hand-made")
        assert len(timeline_of([series], "regular")) == 1
        assert len(timeline_of([series], "extended")) == 3


class TestSynthetic:
    def test_the_same_seed_and_second_give_the_same_price(self, desk: Desk) -> None:
        held = [make_instrument("IBM"), make_instrument("AAPL")]
        later = OPEN.replace(microsecond=999_999)
        first = SyntheticFeed(seed=7).quotes(held, OPEN)
        assert [one.last for one in first] == [one.last for one in SyntheticFeed(seed=7).quotes(held, later)]
        assert [one.last for one in first] != [one.last for one in SyntheticFeed(seed=8).quotes(held, OPEN)]
        assert first[0].last != first[1].last
        assert all(one.is_synthetic and one.source == "synthetic" and one.as_of == OPEN for one in first)

    def test_a_bid_and_an_ask_stand_around_the_price_at_a_settable_spread(self, desk: Desk) -> None:
        for spread in (2.0, 50.0):
            one = SyntheticFeed(spread_bps=spread).quotes([make_instrument("IBM")], OPEN)[0]
            assert spread_bps(one.bid, one.ask) == pytest.approx(spread, rel=0.01)
            assert reference_price(one, OPEN, PriceLimits()).price == one.last

    def test_prices_move_and_stay_in_reach(self, desk: Desk) -> None:
        feed, held = SyntheticFeed(), [make_instrument("IBM")]
        quotes = [feed.quotes(held, OPEN + dt.timedelta(seconds=step * 7))[0] for step in range(500)]
        prices = [one.last for one in quotes if one.last is not None]
        assert len(set(prices)) > 100
        assert max(prices) / min(prices) < Decimal("1.2")


class TestRegistry:
    def test_invented_prices_are_refused_in_live_portfolios(self, desk: Desk) -> None:
        assert feed_of(desk.portfolio).is_synthetic
        desk.portfolio.mode = Portfolio.Mode.LIVE
        with pytest.raises(Refused, match="is live and the feed 'synthetic' invents its prices") as refusal:
            feed_of(desk.portfolio)
        assert refusal.value.code == "synthetic_in_live"

    @pytest.mark.parametrize("name", ["replay", "nonesuch"])
    def test_an_unknown_feed_is_refused_with_the_known_ones(self, desk: Desk, name: str) -> None:
        desk.portfolio.feed = name
        with pytest.raises(Refused, match=f"names the feed '{name}'.*Use one of: .*synthetic"):
            feed_of(desk.portfolio)

    def test_an_unknown_broker_is_refused_with_the_known_ones(self, desk: Desk) -> None:
        desk.account.broker = "nonesuch"
        with pytest.raises(Refused, match=r"no broker named 'nonesuch' for account Main\. Use one of: .*paper"):
            broker_of(desk.account)
        assert "paper" in broker_names()


def test_the_newest_quote_of_each_source_is_kept(desk: Desk) -> None:
    ibm, aapl = make_instrument("IBM"), make_instrument("AAPL")
    prices_judge(quotes=[quote(ibm, 100), quote(aapl, 50)], as_of=OPEN)
    prices_judge(quotes=[quote(ibm, 101)], as_of=OPEN)
    assert {one.instrument_id: one.last for one in Quote.objects.all()} == {ibm.pk: 101, aapl.pk: 50}


def test_quotes_are_written_in_one_order_whoever_writes_them(desk: Desk) -> None:
    quotes = [quote(make_instrument(symbol), 100) for symbol in ("IBM", "AAPL", "MSFT")]
    told = []
    for given in (quotes, quotes[::-1]):
        with CaptureQueriesContext(connection) as captured:
            history_take(quotes=given, as_of=OPEN)
        told.append([query["sql"] for query in captured.captured_queries])
    assert told[0] == told[1]


def test_each_replay_is_a_source_of_its_own(desk: Desk) -> None:
    series = make_series([100, 101])
    for name in ("First", "Second"):
        replay_run_steps(run=make_replay(desk.account, series, name=name), steps=1)
    assert {one.source for one in Quote.objects.all()} == {run.source for run in ReplayRun.objects.all()}


class TestYahoo:
    """The library is optional: a stand-in answers in the form that yfinance 1.7 documents for `download`."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        asked: dict[str, Any] = {}
        times = pd.DatetimeIndex(["2024-03-07 10:28", "2024-03-07 10:29"], tz="America/New_York")
        columns = pd.MultiIndex.from_product([["Close", "Open"], ["BRK-B", "IBM"]], names=["Price", "Ticker"])
        frame = pd.DataFrame([[400.1, 99.5, 1, 1], [float("nan"), 100.25, 1, 1]], index=times, columns=columns)

        def download(tickers: list[str], **options: Any) -> pd.DataFrame:
            asked.update(tickers=tickers, **options)
            return frame

        monkeypatch.setitem(sys.modules, "yfinance", SimpleNamespace(download=download))
        return asked

    def test_the_last_close_of_each_is_its_quote(self, desk: Desk, asked: dict[str, Any]) -> None:
        held = [make_instrument("IBM"), make_instrument("BRK.B"), make_instrument("AAPL")]
        found = {one.instrument_id: one for one in YahooFeed().quotes(held, OPEN)}
        assert {key: (one.last, one.as_of.isoformat()) for key, one in found.items()} == {
            held[0].pk: (Decimal("100.25"), "2024-03-07T10:29:00-05:00"),
            held[1].pk: (Decimal("400.1"), "2024-03-07T10:28:00-05:00"),
        }
        assert not any(one.is_synthetic for one in found.values())
        assert (asked["tickers"], asked["interval"], asked["auto_adjust"]) == (["IBM", "BRK-B", "AAPL"], "1m", False)

    def test_without_the_library_it_says_how_to_get_it(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "yfinance", None)
        with pytest.raises(FeedUnreachableError, match=r"pip install -r requirements/yahoo\.txt"):
            YahooFeed().quotes([make_instrument("IBM")], OPEN)
