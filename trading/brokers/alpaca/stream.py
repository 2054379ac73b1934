"""Alpaca's stream `trade_updates`: what happens to orders, as it happens.

A fill's message carries no id that the account's activities know it by, and a fill booked under two ids would be booked
twice. So a message tells where an order stands and that there is something to read; the fill itself is read from the
activities, under the one id that it has there.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from decimal import Decimal
from typing import Any

from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import ClientConnection, connect

from portfolios.credentials import Credentials
from trading.brokers.alpaca.payloads import PayloadError, update_read
from trading.brokers.base import (
    BrokerAccessError,
    BrokerOrder,
    BrokerUnreachableError,
    BrokerUpdate,
    DoubtfulReport,
    FillReport,
)

OPEN_SECONDS = 5.0
# How long a quiet line is waited on before it is said to be alive; whoever reads it may stop in between.
QUIET_SECONDS = 0.5
LARGEST_MESSAGE = 1_000_000
SHOWN_CHARACTERS = 120
# Activities follow a message within moments. What does not come in so many readings is left to the account's next one.
READINGS = 20


class TradeUpdates:
    """The stream of one account, connected when it is made: an empty update first, then what Alpaca tells.

    Making and reading it raise BrokerUnreachableError when the line is lost, BrokerAccessError where the keys are not
    accepted. `fills` reads the account's fills from where the stream began.
    """

    def __init__(
        self,
        address: str,
        credentials: Credentials,
        account_name: str,
        fills: Callable[[], Sequence[FillReport | DoubtfulReport]],
    ) -> None:
        self._fills = fills
        self._told: set[str] = set()
        self._awaited: dict[str, _Awaited] = {}
        self._waiting: deque[BrokerUpdate] = deque([BrokerUpdate()])
        with ExitStack() as opening:
            try:
                opened = connect(address, open_timeout=OPEN_SECONDS, max_size=LARGEST_MESSAGE)
                self._line = opening.enter_context(opened)
                _enter(self._line, credentials, account_name)
            except (WebSocketException, OSError) as fault:
                raise _lost(fault) from None
            self._opened = opening.pop_all()

    def __iter__(self) -> TradeUpdates:
        return self

    def __next__(self) -> BrokerUpdate:
        while not self._waiting:
            self._waiting.append(self._read())
            self._read_fills()
        return self._waiting.popleft()

    def close(self) -> None:
        """Leave."""
        self._opened.close()

    def _read(self) -> BrokerUpdate:
        try:
            update = update_of(self._line.recv(timeout=QUIET_SECONDS))
        except TimeoutError:
            return BrokerUpdate()
        except (WebSocketException, OSError) as fault:
            raise _lost(fault) from None
        if update.order is not None and update.order.filled_quantity:
            self._awaited[update.order.client_order_id] = _Awaited(update.order)
        return update

    def _read_fills(self) -> None:
        """Read the fills of orders whose messages told of more than their activities so far."""
        if not self._awaited:
            return
        reports: list[FillReport] = []
        # The line itself lives where they cannot be read: that is tried again soon, and by the account's sender in any
        # case, who also keeps what is doubtful among them.
        with suppress(BrokerUnreachableError):
            reports = [report for report in self._fills() if isinstance(report, FillReport)]
        fresh = [report for report in reports if report.broker_fill_id not in self._told]
        self._told |= {report.broker_fill_id for report in fresh}
        self._waiting.extend(BrokerUpdate(fill=report) for report in fresh)
        for name, awaited in list(self._awaited.items()):
            if awaited.is_over([report for report in reports if report.client_order_id == name]):
                del self._awaited[name]


class _Awaited:
    """An order that has fills to be read, and how often they were looked for."""

    def __init__(self, order: BrokerOrder) -> None:
        self.filled = order.filled_quantity or Decimal(0)
        self.readings = 0

    def is_over(self, reports: Sequence[FillReport]) -> bool:
        self.readings += 1
        return sum(report.quantity for report in reports) >= self.filled or self.readings >= READINGS


def _enter(line: ClientConnection, credentials: Credentials, account_name: str) -> None:
    keys = {name: credentials[name] for name in ("key_id", "secret_key")}
    line.send(json.dumps({"action": "authenticate", "data": keys}))
    if _answer(line, "authorization").get("status") != "authorized":
        raise BrokerAccessError(
            f"Alpaca's stream does not accept the keys of account {account_name}. Set them anew in the console."
        )
    line.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
    if "trade_updates" not in _answer(line, "listening").get("streams", []):
        raise BrokerUnreachableError("Alpaca's stream does not offer trade updates")


def _answer(line: ClientConnection, stream: str) -> dict[str, Any]:
    try:
        message = json.loads(line.recv(timeout=OPEN_SECONDS))
        data = message["data"] if message["stream"] == stream else None
    except (TimeoutError, ValueError, KeyError, TypeError):
        data = None
    if not isinstance(data, dict):
        raise BrokerUnreachableError(f"Alpaca's stream did not answer as it should when asked for {stream}")
    return data


def _lost(fault: Exception) -> BrokerUnreachableError:
    why = str(fault) if isinstance(fault, InvalidHandshake) else type(fault).__name__
    return BrokerUnreachableError(f"the line to Alpaca's stream was lost: {why}")


def update_of(frame: str | bytes) -> BrokerUpdate:
    """Return what a frame tells, text or binary alike; one that is not as Alpaca publishes it is handed over whole."""
    try:
        message = json.loads(frame)
        if not isinstance(message, dict):
            raise PayloadError(f"a message of type {type(message).__name__}, expected an object")
        if message.get("stream") != "trade_updates":
            # An acknowledgement, or a stream that may come later: nothing for us.
            return BrokerUpdate()
        order = update_read(message.get("data"))
    except (ValueError, RecursionError) as fault:
        return BrokerUpdate(doubtful=DoubtfulReport(frame, str(fault)[:SHOWN_CHARACTERS] or type(fault).__name__))
    return BrokerUpdate(order=order)
