"""Alpaca's prices as they are streamed: kept, judged, and waking what trades on them."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from portfolios.models import Event, User
from tests.alpaca import payloads
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import KEY_ID, SECRET_KEY
from tests.trading.builders import OPEN, Desk, make_desk, open_cell
from trading.models import FeedStatus, PriceConnection, Quote
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.stream_states import LEASE, stream_claim, stream_lost, stream_release
from trading.streams import alpaca_prices
from trading.streams.alpaca_prices import AlpacaPrices, wanted_instruments
from volbal.common.tenancy import every_tenant, tenant_scope


@pytest.fixture
def desk(db: None, server: AlpacaServer, settings: Any) -> Iterator[Desk]:
    """A desk that trades IBM on Alpaca's prices."""
    settings.ALPACA_DATA_KEY_ID, settings.ALPACA_DATA_SECRET_KEY = KEY_ID, SECRET_KEY
    settings.ALPACA_STREAM_URL = server.url.replace("http", "ws")
    settings.ALPACA_DATA_URL = server.url
    cache.clear()
    made = make_desk()
    with tenant_scope(made.tenant.pk):
        open_cell(made.portfolio)
        made.portfolio.feed = "alpaca"
        made.portfolio.save(update_fields=["feed"])
        yield made


def messages(bid: str, ask: str, last: str) -> list[dict[str, Any]]:
    made = dt.datetime.now(dt.UTC)
    return [
        {"T": "q", "S": "IBM", **payloads.quote(bid, ask, made)},
        {"T": "t", "S": "IBM", **payloads.trade(last, made)},
    ]


def test_what_is_streamed_is_kept_and_wakes_what_trades_on_it(
    desk: Desk, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices, woken = AlpacaPrices(), []

    def wake(**told: Any) -> int:
        woken.append(told)
        prices.end()
        return 1

    monkeypatch.setattr(alpaca_prices, "quotes_wake", wake)

    def speak() -> None:
        assert server.listening.wait(10)
        server.publish("not json")
        server.publish([7, {"T": "q"}])
        server.publish(messages("99.99", "100.01", "100"))

    threading.Thread(target=speak, daemon=True).start()
    assert prices.follow_once() == 0.0
    quote = Quote.objects.get(source="alpaca")
    assert (quote.bid, quote.ask, quote.last, quote.is_synthetic) == (Decimal("99.99"), Decimal("100.01"), 100, False)
    assert woken == [{"instrument_ids": [quote.instrument_id], "source": "alpaca"}]
    assert FeedStatus.objects.get(source="alpaca").refused_count == 1


@pytest.mark.parametrize("damage", [{"bp": "many"}, {"t": None}, {"ap": -1.0}])
def test_a_quote_that_cannot_be_read_is_counted_and_not_kept(desk: Desk, damage: dict[str, Any]) -> None:
    prices = AlpacaPrices()
    prices.take(json.dumps([messages("99.99", "100.01", "100")[0] | damage]))
    prices._keep(wanted_instruments())
    assert not Quote.objects.filter(source="alpaca").exists()
    assert FeedStatus.objects.get(source="alpaca").refusal.startswith("IBM: ")


def test_nothing_is_followed_where_nobody_trades_on_it(desk: Desk) -> None:
    desk.portfolio.feed = "synthetic"
    desk.portfolio.save(update_fields=["feed"])
    assert AlpacaPrices().follow_once() == alpaca_prices.LOOK_SECONDS


def standing() -> PriceConnection:
    return PriceConnection.objects.get(source="alpaca")


def test_keys_that_are_refused_are_told_without_being_repeated_and_tried_again_in_a_minute(
    desk: Desk, settings: Any
) -> None:
    settings.ALPACA_DATA_SECRET_KEY = "wrong-secret-of-somebody-else"
    assert AlpacaPrices().follow_once() == alpaca_prices.REFUSED_SECONDS
    row = standing()
    assert (row.state, row.losses) == ("refused", 1)
    assert row.error == "Alpaca's stream of prices said 'auth failed' instead of 'authenticated'."


def test_where_nobody_answers_it_is_tried_again_with_growing_pauses(desk: Desk, settings: Any) -> None:
    settings.ALPACA_STREAM_URL = "ws://127.0.0.1:9"
    prices = AlpacaPrices()
    pauses = [prices.follow_once() for _ in range(9)]
    assert all(0.25 * 2**number <= pause <= 0.5 * 2**number for number, pause in enumerate(pauses[:6]))
    assert all(15 <= pause <= 30 for pause in pauses[7:])
    assert (standing().state, standing().error) == ("waiting", "the line was lost: ConnectionRefusedError")
    with every_tenant():
        assert Event.objects.filter(kind="stream.lost").count() == 1


def test_another_process_follows_and_leaves_it_to_this_one(desk: Desk, server: AlpacaServer) -> None:
    stream_claim(of="alpaca", owner="there:2")
    assert AlpacaPrices().follow_once() == alpaca_prices.CLAIM_SECONDS
    stream_release(of="alpaca", owner="there:2")
    server.world.snapshots["IBM"] = snapshot("100")
    prices = AlpacaPrices()
    prices.end()
    assert prices.follow_once() == 0.0
    assert standing().state == "connected"


def snapshot(last: str) -> dict[str, Any]:
    return payloads.snapshot(f"{last}.00", f"{last}.02", last, "97", dt.datetime.now(dt.UTC))


def test_what_was_missed_is_asked_for_once_and_the_last_close_stays_known(
    desk: Desk, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.world.snapshots["IBM"] = snapshot("101")
    prices = AlpacaPrices()
    seen: list[tuple[Any, Any]] = []

    def wake(**_: Any) -> int:
        quote = Quote.objects.get(source="alpaca")
        seen.append((quote.bid, quote.previous_close))
        if len(seen) == 1:
            server.publish(messages("101.10", "101.12", "101.11"))
        else:
            prices.end()
        return 1

    monkeypatch.setattr(alpaca_prices, "quotes_wake", wake)
    prices.follow_once()
    assert seen == [(Decimal(101), Decimal(97)), (Decimal("101.1"), Decimal(97))]
    assert sum(path.endswith("/stocks/snapshots") for _, path in server.world.requests) == 1


def test_after_a_gap_nothing_from_before_it_is_mixed_with_what_comes(desk: Desk, server: AlpacaServer) -> None:
    prices = AlpacaPrices()
    prices.take(json.dumps(messages("99.99", "100.01", "100")))
    prices.end()
    prices.follow_once()
    prices.take(json.dumps(messages("1", "2", "104")[1:]))
    prices._keep(wanted_instruments())
    quote = Quote.objects.get(source="alpaca")
    assert (quote.bid, quote.ask, quote.last) == (None, None, 104)


def test_the_console_shows_how_it_stands(desk: Desk) -> None:
    stream_claim(of="alpaca", owner="here:1")
    stream_lost(of="alpaca", error="the line was lost: ConnectionClosedError")
    client = Client()
    client.force_login(User.objects.create_superuser("platform@example.com"))
    address = reverse("admin:trading_priceconnection_changelist")
    page = client.get(address).content.decode()
    assert "Lost, will try again" in page
    assert "ConnectionClosedError" in page
    with time_machine.travel(dt.datetime.now(dt.UTC) + LEASE * 2):
        assert "Nobody follows it: its process was killed" in client.get(address).content.decode()


class TestWokenTick:
    """A portfolio that a streamed quote woke trades on what was streamed."""

    @pytest.fixture(autouse=True)
    def _in_session(self) -> Iterator[None]:
        with time_machine.travel(OPEN, tick=False):
            yield

    def test_it_asks_nobody_again(self, desk: Desk, server: AlpacaServer) -> None:
        prices = AlpacaPrices()
        at = OPEN
        offered = {"T": "q", "S": "IBM", **payloads.quote("103.99", "104.01", at)}
        prices.take(json.dumps([offered, {"T": "t", "S": "IBM", **payloads.trade("104", at)}]))
        prices._keep(wanted_instruments())
        outcome = portfolio_tick(portfolio=desk.portfolio, woken=True)
        assert outcome is not None
        assert outcome.order_count == 1
        assert [path for _, path in server.world.requests] == []

    def test_what_was_never_streamed_is_asked_for(self, desk: Desk, server: AlpacaServer) -> None:
        server.world.snapshots["IBM"] = payloads.snapshot("103.99", "104.01", "104", "97", OPEN)
        outcome = portfolio_tick(portfolio=desk.portfolio, woken=True)
        assert outcome is not None
        assert outcome.order_count == 1

    def test_a_tick_by_the_clock_asks_as_before(self, desk: Desk, server: AlpacaServer) -> None:
        server.world.snapshots["IBM"] = payloads.snapshot("103.99", "104.01", "104", "97", OPEN)
        portfolio_tick(portfolio=desk.portfolio, woken=True)
        portfolio_tick(portfolio=desk.portfolio)
        assert len(server.world.requests) == 2


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_a_thread_of_its_own_follows_reconnects_and_leaves(
    desk: Desk, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop itself, against a server: malformed frames, a lost line, the gap after it, and an end."""
    woken = threading.Semaphore(0)
    monkeypatch.setattr(alpaca_prices, "quotes_wake", lambda **_: woken.release())
    server.world.snapshots["IBM"] = snapshot("100")
    prices = AlpacaPrices()
    prices.start()
    assert woken.acquire(timeout=20)
    for frame in ("not json", {"T": "q"}, "[[", messages("100.10", "100.12", "100")):
        server.publish(frame)
    assert woken.acquire(timeout=20)
    server.world.snapshots["IBM"] = snapshot("105")
    server.hang_up()
    assert woken.acquire(timeout=20)
    assert Quote.objects.get(source="alpaca").last == 105, "what was missed is known before anything is streamed"
    assert (standing().state, standing().losses) == ("connected", 1)
    server.publish(messages("105.10", "105.12", "105.11"))
    assert woken.acquire(timeout=20)
    prices.end()
    prices.join(20)
    assert not prices.is_alive()
    row = standing()
    assert (row.state, row.owner, row.refused_messages) == ("stopped", "", 3)
    assert FeedStatus.objects.get(source="alpaca").refused_count == 3
    assert Quote.objects.get(source="alpaca").bid == Decimal("105.10")
