"""Alpaca's stream of quotes and trades: kept as they come, a few times a second, and waking what trades on them."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections, transaction
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from portfolios.models import Cell, Instrument
from trading.brokers.alpaca.payloads import PayloadError
from trading.feeds.alpaca import AlpacaFeed, quote_read
from trading.services.feed_asking import feed_status
from trading.services.pricing import prices_judge
from trading.services.quotes import refusals_count
from trading.services.wakes import quotes_wake
from volbal.common import clock
from volbal.common.errors import VolbalError
from volbal.common.exclusive import only_one
from volbal.common.tenancy import every_tenant

ADDRESS = "wss://stream.data.alpaca.markets"
OPEN_SECONDS, FLUSH_SECONDS, LOOK_SECONDS, RETRY_SECONDS = 5.0, 0.25, 5.0, 10.0
LARGEST_MESSAGE = 4_000_000
PARTS = {"q": "latestQuote", "t": "latestTrade"}

logger = logging.getLogger(__name__)


class AlpacaPrices(threading.Thread):
    """Follow the prices of what active cells hold on this feed; one process does, the others wait."""

    def __init__(self) -> None:
        super().__init__(name="alpaca-prices", daemon=True)
        self._ended = threading.Event()
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._fresh: set[str] = set()

    def end(self) -> None:
        """Follow nothing more."""
        self._ended.set()

    def run(self) -> None:
        """Follow until told to end; a line that is lost is opened again."""
        pause = 0.0
        while not self._ended.wait(pause):
            try:
                with only_one("alpaca prices", 1) as is_ours:
                    pause = self.follow_once() if is_ours else RETRY_SECONDS
            except (WebSocketException, OSError, VolbalError, DatabaseError) as fault:
                logger.warning("Alpaca's prices are not streamed: %s", fault or type(fault).__name__)
                pause = RETRY_SECONDS
            connections.close_all()

    def follow_once(self) -> float:
        """Follow until what is wanted changes or the line is lost; return how long to wait before the next time."""
        wanted = wanted_instruments()
        if not wanted or not settings.ALPACA_DATA_KEY_ID:
            return LOOK_SECONDS
        address = f"{settings.ALPACA_STREAM_URL or ADDRESS}/v2/{settings.ALPACA_DATA_FEED}"
        with connect(address, open_timeout=OPEN_SECONDS, max_size=LARGEST_MESSAGE) as line:
            _enter(line, list(wanted))
            turns = 0
            while not self._ended.is_set():
                self._read(line)
                self._keep(wanted)
                turns += 1
                if turns * FLUSH_SECONDS >= LOOK_SECONDS:
                    turns = 0
                    if wanted_instruments() != wanted:
                        return 0.0
        return 0.0

    def _read(self, line: ClientConnection) -> None:
        """Take in what comes within one flush."""
        ends = time.monotonic() + FLUSH_SECONDS
        try:
            while (left := ends - time.monotonic()) > 0:
                self.take(line.recv(timeout=left))
        except TimeoutError:
            return

    def take(self, frame: str | bytes) -> None:
        """Remember what a frame tells; what cannot be read is logged and counted."""
        try:
            messages = json.loads(frame)
            if not isinstance(messages, list):
                raise PayloadError(f"a message of type {type(messages).__name__}, expected a list")
        except (ValueError, RecursionError) as fault:
            _refused(str(fault))
            return
        for message in messages:
            part = PARTS.get(str(message.get("T"))) if isinstance(message, Mapping) else None
            symbol = message.get("S") if part is not None else None
            if part is not None and isinstance(symbol, str):
                self._snapshots.setdefault(symbol, {})[part] = message
                self._fresh.add(symbol)

    def _keep(self, wanted: Mapping[str, int]) -> None:
        moment, quotes = clock.now(), []
        for symbol in sorted(self._fresh & set(wanted)):
            try:
                quote = quote_read(self._snapshots[symbol], wanted[symbol], moment)
            except PayloadError as fault:
                del self._snapshots[symbol]
                _refused(f"{symbol}: {fault}")
                continue
            if quote is not None:
                quotes.append(quote)
        self._fresh.clear()
        if quotes:
            prices_judge(quotes=quotes, as_of=moment)
            quotes_wake(instrument_ids=[quote.instrument_id for quote in quotes], source=AlpacaFeed.source)


def wanted_instruments() -> dict[str, int]:
    """Return the instruments, by symbol, of active cells whose portfolios trade on this feed."""
    with every_tenant():
        cells = Cell.objects.filter(status=Cell.Status.ACTIVE, portfolio__feed="alpaca", portfolio__is_archived=False)
        rows = Instrument.objects.filter(pk__in=cells.values("instrument")).values_list("symbol", "pk")
        return dict(rows)


def _enter(line: ClientConnection, symbols: Iterable[str]) -> None:
    _expect(line, "connected")
    keys = {"key": settings.ALPACA_DATA_KEY_ID, "secret": settings.ALPACA_DATA_SECRET_KEY}
    line.send(json.dumps({"action": "auth", **keys}))
    _expect(line, "authenticated")
    asked = sorted(symbols)
    line.send(json.dumps({"action": "subscribe", "quotes": asked, "trades": asked}))


def _expect(line: ClientConnection, words: str) -> None:
    try:
        message = json.loads(line.recv(timeout=OPEN_SECONDS))[0]
        said = str(message.get("msg", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        said = "nothing that can be read"
    if said != words:
        raise VolbalError(f"Alpaca's stream of prices said {said!r} instead of {words!r}.", code="stream_refused")


def _refused(why: str) -> None:
    logger.warning("a message of Alpaca's prices cannot be read: %s", why[:200])
    with transaction.atomic():
        feed_status(feed=AlpacaFeed(), moment=clock.now())
        refusals_count(source=AlpacaFeed.source, count=1, last=why)
