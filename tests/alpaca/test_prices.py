"""Alpaca's prices as they are streamed: kept, judged, and waking what trades on them."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.alpaca import payloads
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import KEY_ID, SECRET_KEY
from tests.trading.builders import Desk, make_desk, open_cell
from trading.models import FeedStatus, Quote
from trading.streams import alpaca_prices
from trading.streams.alpaca_prices import AlpacaPrices, wanted_instruments
from volbal.common.errors import VolbalError
from volbal.common.tenancy import tenant_scope


@pytest.fixture
def desk(db: None, server: AlpacaServer, settings: Any) -> Iterator[Desk]:
    """A desk that trades IBM on Alpaca's prices."""
    settings.ALPACA_DATA_KEY_ID, settings.ALPACA_DATA_SECRET_KEY = KEY_ID, SECRET_KEY
    settings.ALPACA_STREAM_URL = server.url.replace("http", "ws")
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


def test_keys_that_are_refused_are_not_repeated(desk: Desk, settings: Any) -> None:
    settings.ALPACA_DATA_SECRET_KEY = "wrong-secret-of-somebody-else"
    with pytest.raises(VolbalError, match="said 'auth failed' instead of 'authenticated'") as refusal:
        AlpacaPrices().follow_once()
    assert "wrong-secret" not in str(refusal.value)
