"""Alpaca's stream `trade_updates`: what happens to orders, as it happens.

A fill's message carries no id that the account's activities know it by, and a fill booked under two ids would be booked
twice. So the stream tells where an order stands, and fills are read from the activities, which it wakes us to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import ClientConnection, connect

from portfolios.credentials import Credentials
from trading.brokers.alpaca.payloads import PayloadError, update_read
from trading.brokers.base import BrokerAccessError, BrokerUnreachableError, BrokerUpdate

OPEN_SECONDS = 10.0
# How long a quiet line is waited on before it is said to be alive; whoever reads it may stop in between.
QUIET_SECONDS = 0.5
LARGEST_MESSAGE = 1_000_000
SHOWN_CHARACTERS = 120


def trade_updates(address: str, credentials: Credentials, account_name: str) -> Iterator[BrokerUpdate]:
    """Yield an empty update once Alpaca listens to us, then what it sends. Raises BrokerUnreachableError at its end.

    Raises BrokerAccessError where the keys are not accepted. A message that cannot be read is told as refused.
    """
    try:
        with connect(address, open_timeout=OPEN_SECONDS, max_size=LARGEST_MESSAGE) as line:
            _enter(line, credentials, account_name)
            yield BrokerUpdate()
            while True:
                yield _next(line)
    except (WebSocketException, OSError) as lost:
        why = str(lost) if isinstance(lost, InvalidHandshake) else type(lost).__name__
        raise BrokerUnreachableError(f"the line to Alpaca's stream was lost: {why}") from None


def _enter(line: ClientConnection, credentials: Credentials, account_name: str) -> None:
    keys = {name: credentials[name] for name in ("key_id", "secret_key")}
    line.send(json.dumps({"action": "authenticate", "data": keys}))
    entered = _answer(line, "authorization")
    if entered.get("status") != "authorized":
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


def _next(line: ClientConnection) -> BrokerUpdate:
    try:
        frame = line.recv(timeout=QUIET_SECONDS)
    except TimeoutError:
        return BrokerUpdate()
    return update_of(frame)


def update_of(frame: str | bytes) -> BrokerUpdate:
    """Return what a frame tells, text or binary alike; one that is not as Alpaca publishes it is told as refused."""
    try:
        message = json.loads(frame)
        if not isinstance(message, dict):
            raise PayloadError(f"a message of type {type(message).__name__}, expected an object")
        if message.get("stream") != "trade_updates":
            # An acknowledgement, or a stream that may come later: nothing for us.
            return BrokerUpdate()
        order = update_read(message.get("data"))
    except (ValueError, RecursionError) as fault:
        return BrokerUpdate(refused=str(fault)[:SHOWN_CHARACTERS] or type(fault).__name__)
    return BrokerUpdate(order=order)
