"""Feeds that fail, hang or fall silent: ticks go on, cells say so, and someone is told."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest
import time_machine

from portfolios.models import Cell, Event, Portfolio
from portfolios.services import portfolio_create
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import OPEN, Desk, open_cell
from tests.trading.scripted import ScriptedFeed
from trading.feeds import asking, registry
from trading.feeds.asking import ask
from trading.feeds.base import FeedUnreachableError
from trading.models import Evaluation, FeedStatus, Quote
from trading.services.accounts import portfolio_open
from trading.services.feed_asking import quotes_ask
from trading.services.portfolio_ticks import portfolio_tick
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant

SECOND = dt.timedelta(seconds=1)
WAIT_SECONDS = 10


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> ScriptedFeed:
    one = ScriptedFeed({"IBM": "100", "AAPL": "50"})
    monkeypatch.setitem(registry._factories, "wire", lambda portfolio: one)
    return one


@pytest.fixture
def wired(desk: Desk, clock: time_machine.Traveller, feed: ScriptedFeed) -> Portfolio:
    return portfolio_create(account=desk.account, name="Wire", mode="paper", feed="wire", origin=BY_TEST)


def told(kind: str) -> list[dict[str, object]]:
    with every_tenant():
        return [event.after for event in Event.objects.filter(kind=kind, tenant=None).order_by("id")]


def newest(cell: Cell) -> tuple[str, Decimal]:
    one = Evaluation.objects.filter(cell=cell).latest("id")
    return one.reason, one.price


class TestSilence:
    def test_an_instrument_without_a_new_quote_is_skipped_at_its_last_known_price(
        self, wired: Portfolio, feed: ScriptedFeed, clock: time_machine.Traveller
    ) -> None:
        ibm, aapl = open_cell(wired), open_cell(wired, "AAPL", price=Decimal(50), anchor=Decimal(50))
        portfolio_tick(portfolio=wired)
        del feed.prices["IBM"]
        clock.shift(20)
        portfolio_tick(portfolio=wired)
        assert newest(ibm) == ("inside_band", 100)  # its last quote may be 30 s old
        clock.shift(11)
        portfolio_tick(portfolio=wired)
        assert (newest(ibm), newest(aapl)) == (("stale_price", 100), ("inside_band", 50))
        assert "its last trade is 31 s old" in Evaluation.objects.filter(cell=ibm).latest("id").sentence
        assert Quote.objects.get(instrument__symbol="IBM").refusal == "stale_price"
        # One quiet instrument is no silent feed.
        assert FeedStatus.objects.get().silent_since is None

    def test_a_connected_but_silent_feed_is_told_once_and_so_is_its_recovery(
        self, wired: Portfolio, feed: ScriptedFeed, clock: time_machine.Traveller
    ) -> None:
        cell = open_cell(wired)
        portfolio_tick(portfolio=wired)
        feed.quoted_at = OPEN
        for _ in range(4):
            clock.shift(20)
            portfolio_tick(portfolio=wired)
        assert newest(cell)[0] == "stale_price"
        row = FeedStatus.objects.get()
        assert (row.silent_since, row.told_at) == (OPEN, OPEN + 40 * SECOND)
        assert [one["source"] for one in told("feed.silent")] == ["wire"]
        feed.quoted_at = None
        clock.shift(1)
        portfolio_tick(portfolio=wired)
        assert newest(cell)[0] == "inside_band"
        assert FeedStatus.objects.get().silent_since is None
        assert len(told("feed.recovered")) == 1

    def test_a_feed_that_never_spoke_is_silent_too(
        self, wired: Portfolio, feed: ScriptedFeed, clock: time_machine.Traveller
    ) -> None:
        open_cell(wired)
        feed.prices.clear()
        for _ in range(3):
            portfolio_tick(portfolio=wired)
            clock.shift(20)
        assert len(told("feed.silent")) == 1
        assert FeedStatus.objects.get().quoted_at is None

    @pytest.mark.parametrize("moment", [OPEN.replace(hour=23), dt.datetime(2024, 3, 9, 16, tzinfo=dt.UTC)])
    def test_nothing_is_missed_while_exchanges_are_closed(
        self, wired: Portfolio, feed: ScriptedFeed, clock: time_machine.Traveller, moment: dt.datetime
    ) -> None:
        open_cell(wired)
        portfolio_tick(portfolio=wired)
        feed.quoted_at = OPEN
        for seconds in (0, 60):
            clock.move_to(moment + seconds * SECOND)
            portfolio_tick(portfolio=wired)
        assert told("feed.silent") == []

    def test_silence_counts_from_the_open(
        self, wired: Portfolio, feed: ScriptedFeed, clock: time_machine.Traveller
    ) -> None:
        feed.quoted_at = OPEN - dt.timedelta(days=1)
        opened = dt.datetime(2024, 3, 7, 14, 30, tzinfo=dt.UTC)
        open_cell(wired)
        counts = []
        for seconds in (-40, 0, 30, 31):
            clock.move_to(opened + seconds * SECOND)
            portfolio_tick(portfolio=wired)
            counts.append(len(told("feed.silent")))
        assert counts == [0, 0, 0, 1]


class TestFailure:
    @pytest.mark.parametrize(
        "failure,text",
        [
            (FeedUnreachableError("the line is dead"), "FeedUnreachableError: the line is dead"),
            (ZeroDivisionError("a bug of the library"), "ZeroDivisionError: a bug of the library"),
            (Refused("the key was refused"), "the key was refused"),
        ],
    )
    def test_a_feed_that_raises_ends_no_tick(
        self, wired: Portfolio, feed: ScriptedFeed, clock: time_machine.Traveller, failure: Exception, text: str
    ) -> None:
        cell = open_cell(wired)
        portfolio_tick(portfolio=wired)

        def fail() -> None:
            raise failure

        feed.acts = fail
        for seconds in (20, 20):
            clock.shift(seconds)
            portfolio_tick(portfolio=wired)
        assert newest(cell) == ("stale_price", 100)
        row = FeedStatus.objects.get()
        assert (row.errors_in_a_row, row.error) == (2, text)
        assert [one["error"] for one in told("feed.silent")] == [text]
        feed.acts = None
        clock.shift(1)
        portfolio_tick(portfolio=wired)
        assert FeedStatus.objects.get().errors_in_a_row == 0

    def test_a_source_does_not_turn_from_real_to_invented(self, wired: Portfolio, feed: ScriptedFeed) -> None:
        held = [make_instrument("IBM")]
        quotes_ask(feed=feed, instruments=held, moment=OPEN)
        feed.is_synthetic = True
        with pytest.raises(Refused, match="wire would give both real and invented prices"):
            quotes_ask(feed=feed, instruments=held, moment=OPEN)


class TestHanging:
    @pytest.fixture(autouse=True)
    def _nothing_hangs(self) -> Iterator[None]:
        yield
        asking._hanging.clear()

    def test_a_feed_that_hangs_costs_its_deadline_once(self, desk: Desk) -> None:
        goes_on = threading.Event()
        slow = ScriptedFeed({"IBM": "100"}, acts=lambda: _wait(goes_on), is_remote=True)
        held = [make_instrument("IBM")]
        with pytest.raises(FeedUnreachableError, match=r"no answer within 0\.05 s"):
            ask(slow, held, OPEN, timeout_seconds=0.05)
        with pytest.raises(FeedUnreachableError, match="no answer since it was asked"):
            ask(slow, held, OPEN, timeout_seconds=WAIT_SECONDS)
        assert slow.asked == 1
        question = asking._hanging["wire"]
        goes_on.set()
        assert question.answered.wait(WAIT_SECONDS)
        assert ask(slow, held, OPEN, timeout_seconds=WAIT_SECONDS)[0].last == 100

    def test_what_a_remote_feed_raises_is_raised(self, desk: Desk) -> None:
        def fail() -> None:
            raise OSError("reset by peer")

        with pytest.raises(OSError, match="reset by peer"):
            ask(ScriptedFeed(acts=fail, is_remote=True), [make_instrument("IBM")], OPEN)


def _wait(event: threading.Event) -> None:
    if not event.wait(WAIT_SECONDS):
        raise TimeoutError


def test_a_live_portfolio_is_not_made_on_invented_prices(desk: Desk) -> None:
    with pytest.raises(Refused, match="is live and the feed 'synthetic' invents its prices"):
        portfolio_open(account=desk.account, name="Live", mode="live", feed="synthetic", origin=BY_TEST)
    assert not Portfolio.objects.filter(name="Live").exists()


def test_feeds_are_as_portfolios_know_them(desk: Desk) -> None:
    for name in registry.feed_names():
        desk.portfolio.feed = name
        feed = registry.feed_of(desk.portfolio)
        assert feed.name == name
        assert feed.is_synthetic == (name == "synthetic")
        assert feed.source in (name, f"{name}:{desk.tenant.pk}")
