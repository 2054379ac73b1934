"""Alpaca's prices, of the present and of the past, against the local server."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache

from portfolios.models import Instrument
from tests.alpaca import payloads
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import KEY_ID, SECRET_KEY, Fault, World
from tests.portfolios.builders import make_instrument
from tests.trading.builders import make_desk
from trading.feeds.alpaca import AlpacaFeed
from trading.feeds.base import FeedUnreachableError
from trading.feeds.registry import feed_names, feed_of
from trading.marketdata import alpaca_data
from trading.marketdata.alpaca_data import AlpacaData, DataUnreachableError
from trading.marketdata.alpaca_history import AlpacaHistory
from trading.models import Quote
from trading.services.portfolio_ticks import portfolio_tick
from volbal.common.tenancy import tenant_scope
from volbal.strategy import Dividend, Split

MOMENT = dt.datetime(2024, 3, 7, 15, 30, 1, tzinfo=dt.UTC)
MADE = dt.datetime(2024, 3, 7, 15, 30, 0, 250_000, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def _keys(server: AlpacaServer, settings: Any) -> None:
    cache.clear()
    alpaca_data._line.cache_clear()
    settings.ALPACA_DATA_KEY_ID, settings.ALPACA_DATA_SECRET_KEY = KEY_ID, SECRET_KEY
    settings.ALPACA_DATA_URL = server.url


@pytest.fixture
def instruments(db: None) -> list[Instrument]:
    return [make_instrument(symbol) for symbol in ("IBM", "MSFT", "NONE")]


class TestFeed:
    def test_quote_and_trade_of_all_instruments_come_in_one_question(
        self, instruments: list[Instrument], world: World
    ) -> None:
        world.snapshots = {
            "IBM": payloads.snapshot("184.30", "184.40", "184.35", "183.01", MADE),
            "MSFT": payloads.snapshot("400", "400.02", "400.01", "399", MADE),
        }
        ibm, msft = AlpacaFeed().quotes(instruments, MOMENT)
        assert (ibm.bid, ibm.ask, ibm.last, ibm.previous_close) == (
            Decimal("184.30"),
            Decimal("184.40"),
            Decimal("184.35"),
            Decimal("183.01"),
        )
        assert (ibm.as_of, ibm.last_at, ibm.received_at) == (MADE, MADE, MOMENT)
        assert (ibm.source, ibm.is_synthetic, ibm.is_two_sided) == ("alpaca", False, True)
        assert msft.instrument_id == instruments[1].pk
        assert world.requests == [("GET", "/v2/stocks/snapshots")]

    def test_a_side_that_nobody_offers_is_none(self, instruments: list[Instrument], world: World) -> None:
        world.snapshots["IBM"] = payloads.snapshot("0", "184.40", "184.35", "183", MADE) | {"latestTrade": None}
        quote = AlpacaFeed().quotes(instruments, MOMENT)[0]
        assert (quote.bid, quote.ask, quote.last, quote.last_at) == (None, Decimal("184.40"), None, None)

    @pytest.mark.parametrize(
        "damage",
        [
            {"latestQuote": {"bp": "many", "ap": 1.0, "t": "2024-03-07T15:30:00Z"}},
            {"latestQuote": {"bp": 1.0, "ap": -1.0, "t": "2024-03-07T15:30:00Z"}},
            {"latestQuote": {"bp": 1.0, "ap": 1.0, "t": "yesterday"}},
            {"latestQuote": [1, 2]},
            {"latestTrade": {"p": True, "t": "2024-03-07T15:30:00Z"}},
        ],
    )
    def test_one_that_cannot_be_read_is_logged_and_the_others_come(
        self, instruments: list[Instrument], world: World, caplog: pytest.LogCaptureFixture, damage: dict[str, Any]
    ) -> None:
        good = payloads.snapshot("184.30", "184.40", "184.35", "183", MADE)
        world.snapshots = {"IBM": good | damage, "MSFT": good}
        assert [quote.instrument_id for quote in AlpacaFeed().quotes(instruments, MOMENT)] == [instruments[1].pk]
        assert "Alpaca's snapshot of IBM cannot be read" in caplog.text

    @pytest.mark.parametrize(
        "status, words", [(403, "answered 403: subscription"), (500, "answered 500"), (429, "429")]
    )
    def test_without_an_answer_it_says_why(
        self, instruments: list[Instrument], world: World, status: int, words: str
    ) -> None:
        body = {"message": "subscription does not permit querying recent SIP data"}
        world.faults.append(Fault("GET", status=status, body=body))
        with pytest.raises(FeedUnreachableError, match=words):
            AlpacaFeed().quotes(instruments, MOMENT)
        assert len(world.requests) == 1

    def test_its_limit_is_kept(self, instruments: list[Instrument], settings: Any) -> None:
        settings.ALPACA_DATA_REQUESTS_A_MINUTE = 2
        for _ in range(2):
            AlpacaFeed().quotes(instruments, MOMENT)
        with pytest.raises(FeedUnreachableError, match="limit of 2 data requests a minute is used up"):
            AlpacaFeed().quotes(instruments, MOMENT)

    def test_without_keys_it_says_which_are_missing(self, instruments: list[Instrument], settings: Any) -> None:
        settings.ALPACA_DATA_KEY_ID = ""
        with pytest.raises(FeedUnreachableError, match="Set ALPACA_DATA_KEY_ID"):
            AlpacaFeed().quotes(instruments, MOMENT)

    @pytest.mark.parametrize("feed, delayed", [("iex", False), ("delayed_sip", True)])
    def test_a_tape_that_comes_late_says_so(self, settings: Any, feed: str, delayed: bool) -> None:
        settings.ALPACA_DATA_FEED = feed
        assert AlpacaFeed().is_delayed is delayed

    def test_a_portfolio_ticks_on_it(self, db: None, world: World) -> None:
        desk = make_desk()
        with tenant_scope(desk.tenant.pk):
            from tests.trading.builders import open_cell

            open_cell(desk.portfolio)
            desk.portfolio.feed = "alpaca"
            desk.portfolio.save(update_fields=["feed"])
            world.snapshots["IBM"] = payloads.snapshot("99.99", "100.01", "100", "99", dt.datetime.now(dt.UTC))
            assert "alpaca" in feed_names()
            assert isinstance(feed_of(desk.portfolio), AlpacaFeed)
            portfolio_tick(portfolio=desk.portfolio)
            quote = Quote.objects.get(source="alpaca")
        assert (quote.bid, quote.ask, quote.is_synthetic) == (Decimal("99.99"), Decimal("100.01"), False)


class TestHistory:
    def test_daily_bars_carry_the_exchanges_dates(self, world: World) -> None:
        # Alpaca stamps a day at midnight in New York.
        starts = [dt.datetime(2024, 3, day, 5, tzinfo=dt.UTC) for day in (6, 7, 8)]
        world.bars["IBM"] = [payloads.bar(at, "184.5") for at in starts]
        bars = AlpacaHistory().bars("IBM", dt.date(2024, 3, 6), dt.date(2024, 3, 7), "daily")
        assert bars is not None
        assert [str(dt.date(1970, 1, 1) + dt.timedelta(days=int(day))) for day in bars.days] == [
            "2024-03-06",
            "2024-03-07",
        ]
        assert (bars.resolution, bars.close[0], bars.high[0], bars.volume[0]) == ("daily", 184.5, 185.5, 1000.0)

    def test_minute_bars_know_their_session_and_pages_are_read_to_the_end(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("trading.marketdata.alpaca_history.BARS_A_PAGE", 2)
        first = dt.datetime(2024, 3, 7, 14, 28, tzinfo=dt.UTC)
        world.bars["IBM"] = [payloads.bar(first + dt.timedelta(minutes=number), "184") for number in range(5)]
        bars = AlpacaHistory().bars("IBM", dt.date(2024, 3, 7), dt.date(2024, 3, 7), "minute")
        assert bars is not None
        assert bars.in_session.tolist() == [False, False, True, True, True]
        assert bars.stamps[0] == int(first.timestamp()) * 1_000_000_000
        assert len(world.requests) == 3

    def test_where_there_are_none_it_says_none(self) -> None:
        assert AlpacaHistory().bars("IBM", dt.date(2024, 3, 7), dt.date(2024, 3, 7), "daily") is None

    def test_dividends_and_splits_come_by_date(self, world: World) -> None:
        world.actions = {
            "cash_dividends": [
                payloads.cash_dividend("IBM", 1.67, "2024-08-09", None),
                payloads.cash_dividend("IBM", 1.66, "2024-02-08", "2024-03-09"),
                payloads.cash_dividend("IBM", 1.65, "2023-02-08", "2023-03-09"),
            ],
            "forward_splits": [payloads.forward_split("IBM", 4, 1, "2024-05-01")],
            "reverse_splits": [payloads.reverse_split("IBM", 1, 8, "2024-04-01")],
        }
        history, year = AlpacaHistory(), (dt.date(2024, 1, 1), dt.date(2024, 12, 31))
        assert history.dividends("IBM", *year) == [
            Dividend(dt.date(2024, 2, 8), 1.66, dt.date(2024, 3, 9)),
            Dividend(dt.date(2024, 8, 9), 1.67, None),
        ]
        assert history.splits("IBM", *year) == [Split(dt.date(2024, 4, 1), 0.125), Split(dt.date(2024, 5, 1), 4.0)]

    @pytest.mark.parametrize("damage", [{"c": "many"}, {"t": None}, {"t": "2024-03-07"}])
    def test_a_bar_that_cannot_be_read_stops_with_the_reason(self, world: World, damage: dict[str, Any]) -> None:
        world.bars["IBM"] = [payloads.bar(dt.datetime(2024, 3, 7, 5, tzinfo=dt.UTC), "184") | damage]
        with pytest.raises(DataUnreachableError, match="A bar of IBM cannot be read"):
            AlpacaHistory().bars("IBM", dt.date(2024, 3, 7), dt.date(2024, 3, 7), "daily")

    @pytest.mark.parametrize("damage", [{"rate": 0}, {"rate": "much"}, {"ex_date": "soon"}, {"symbol": None}])
    def test_an_action_that_cannot_be_read_stops_with_the_reason(self, world: World, damage: dict[str, Any]) -> None:
        world.actions = {"cash_dividends": [payloads.cash_dividend("IBM", 1.66, "2024-02-08", None) | damage]}
        with pytest.raises(DataUnreachableError, match="A corporate action of IBM cannot be read"):
            AlpacaHistory().dividends("IBM", dt.date(2024, 1, 1), dt.date(2024, 12, 31))


@pytest.mark.parametrize("body", [[1], "text", b"<html>"])
def test_an_answer_that_is_not_alpacas_is_no_answer(world: World, body: Any) -> None:
    world.faults.append(Fault("GET", status=200, body=body))
    with pytest.raises(DataUnreachableError):
        AlpacaData().get("/stocks/snapshots", {"symbols": "IBM"})


def test_its_keys_appear_in_no_message(world: World, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.ALPACA_DATA_SECRET_KEY = "wrong-secret-of-somebody-else"
    with pytest.raises(DataUnreachableError, match="answered 401") as refusal:
        AlpacaData().get("/stocks/snapshots", {"symbols": "IBM"})
    assert "wrong-secret" not in str(refusal.value) + caplog.text
