"""Alpaca's stream of quotes and trades: kept as they come, a few times a second, and waking what trades on them."""

from __future__ import annotations

import json
import logging
import os
import random
import socket
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
from trading.feeds.alpaca import AlpacaFeed, quote_read, snapshots
from trading.feeds.base import FeedUnreachableError
from trading.services.feed_asking import feed_status
from trading.services.pricing import prices_judge
from trading.services.quotes import refusals_count
from trading.services.stream_states import stream_claim, stream_connected, stream_heard, stream_lost, stream_release
from trading.services.wakes import quotes_wake
from volbal.common import clock
from volbal.common.errors import VolbalError
from volbal.common.tenancy import every_tenant

ADDRESS = "wss://stream.data.alpaca.markets"
SOURCE = AlpacaFeed.source
NOT_LET_IN = "stream_refused"
OPEN_SECONDS, FLUSH_SECONDS, LOOK_SECONDS = 5.0, 0.25, 5.0
# Another process has it, or had it and was killed; keys that were refused are not better a second later.
CLAIM_SECONDS, REFUSED_SECONDS, DATABASE_SECONDS = 5.0, 60.0, 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
LARGEST_MESSAGE = 4_000_000
PARTS = {"q": "latestQuote", "t": "latestTrade"}

logger = logging.getLogger(__name__)


class AlpacaPrices(threading.Thread):
    """Follow the prices of what active cells hold on this feed; one process does by its lease, the others wait."""

    def __init__(self) -> None:
        super().__init__(name="alpaca-prices", daemon=True)
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._ended = threading.Event()
        self._failures = 0
        self._snapshots: dict[str, dict[str, Any]] = {}
        self._fresh: set[str] = set()
        self._heard = self._refused = 0
        self._refusal = ""

    def end(self) -> None:
        """Follow nothing more."""
        self._ended.set()

    def run(self) -> None:
        """Follow until told to end, then leave it to others; a line that is lost is opened again."""
        pause = 0.0
        while not self._ended.wait(pause):
            try:
                pause = self.follow_once()
            except DatabaseError:
                logger.exception("Alpaca's prices cannot be kept; trying again")
                pause = DATABASE_SECONDS
            # What is looked for every few seconds needs no connection in between.
            connections.close_all()
        self._leave()
        connections.close_all()

    def follow_once(self) -> float:
        """Follow until what is wanted changes or the line is lost; return how long to wait before the next time."""
        wanted = wanted_instruments()
        if not wanted or not settings.ALPACA_DATA_KEY_ID:
            self._leave()
            return LOOK_SECONDS
        if not stream_claim(of=SOURCE, owner=self._owner):
            return CLAIM_SECONDS
        try:
            return self._follow(wanted)
        except VolbalError as fault:
            is_refused = fault.code == NOT_LET_IN
            stream_lost(of=SOURCE, error=str(fault), is_refused=is_refused)
            return REFUSED_SECONDS if is_refused else self._pause()
        except (WebSocketException, OSError) as fault:
            stream_lost(of=SOURCE, error=f"the line was lost: {type(fault).__name__}")
            return self._pause()

    def _follow(self, wanted: Mapping[str, int]) -> float:
        address = f"{settings.ALPACA_STREAM_URL or ADDRESS}/v2/{settings.ALPACA_DATA_FEED}"
        with connect(address, open_timeout=OPEN_SECONDS, max_size=LARGEST_MESSAGE) as line:
            _enter(line, list(wanted))
            stream_connected(of=SOURCE)
            self._catch_up(wanted)
            looked = time.monotonic()
            while not self._ended.is_set():
                self._read(line)
                self._keep(wanted)
                if time.monotonic() - looked >= LOOK_SECONDS:
                    looked = time.monotonic()
                    if not stream_claim(of=SOURCE, owner=self._owner):
                        return CLAIM_SECONDS
                    if wanted_instruments() != wanted:
                        return 0.0
        return 0.0

    def _catch_up(self, wanted: Mapping[str, int]) -> None:
        """Ask once for what was missed while nobody listened; what was known before is not mixed with what comes."""
        self._snapshots.clear()
        self._fresh.clear()
        try:
            told = snapshots(sorted(wanted))
        except FeedUnreachableError as silence:
            # The stream tells the next quotes, and ticks by the clock ask themselves.
            logger.warning("what Alpaca's prices were while nobody listened is not known: %s", silence)
            return
        self._snapshots |= {symbol: dict(one) for symbol, one in told.items() if isinstance(one, Mapping)}
        self._fresh |= self._snapshots.keys()
        self._keep(wanted)

    def _pause(self) -> float:
        """Return a pause that doubles with each failure in a row, spread so that lines do not come back together."""
        self._failures += 1
        longest = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS)
        return longest * random.uniform(0.5, 1.0)

    def _leave(self) -> None:
        try:
            stream_release(of=SOURCE, owner=self._owner)
        except DatabaseError:
            # Its lease runs out by itself.
            logger.exception("the stream of Alpaca's prices was left without a note")

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
        self._heard += 1
        try:
            messages = json.loads(frame)
            if not isinstance(messages, list):
                raise PayloadError(f"a message of type {type(messages).__name__}, expected a list")
        except (ValueError, RecursionError) as fault:
            self._refuse(str(fault) or type(fault).__name__)
            return
        for message in messages:
            part = PARTS.get(str(message.get("T"))) if isinstance(message, Mapping) else None
            symbol = message.get("S") if part is not None else None
            if part is not None and isinstance(symbol, str):
                self._snapshots.setdefault(symbol, {})[part] = message
                self._fresh.add(symbol)

    def _keep(self, wanted: Mapping[str, int]) -> None:
        """Keep what came since the last time, wake what trades on it, and note what was heard."""
        moment, quotes = clock.now(), []
        for symbol in sorted(self._fresh & set(wanted)):
            try:
                quote = quote_read(self._snapshots[symbol], wanted[symbol], moment)
            except PayloadError as fault:
                del self._snapshots[symbol]
                self._refuse(f"{symbol}: {fault}")
                continue
            if quote is not None:
                quotes.append(quote)
        self._fresh.clear()
        self._note()
        if quotes:
            self._failures = 0
            prices_judge(quotes=quotes, as_of=moment)
            quotes_wake(instrument_ids=[quote.instrument_id for quote in quotes], source=SOURCE)

    def _refuse(self, why: str) -> None:
        logger.warning("a message of Alpaca's prices cannot be read: %s", why[:200])
        self._refused, self._refusal = self._refused + 1, why

    def _note(self) -> None:
        """Count what was heard and what could not be read, with the stream and with the feed."""
        if self._heard or self._refused:
            stream_heard(of=SOURCE, messages=self._heard, refused=self._refused, refusal=self._refusal)
        if self._refused:
            with transaction.atomic():
                feed_status(feed=AlpacaFeed(), moment=clock.now())
                refusals_count(source=SOURCE, count=self._refused, last=self._refusal)
        self._heard = self._refused = 0


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
    except TimeoutError:
        raise OSError("no answer") from None
    if said != words:
        raise VolbalError(f"Alpaca's stream of prices said {said!r} instead of {words!r}.", code=NOT_LET_IN)
