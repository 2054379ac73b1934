"""The stream of trade updates against the local server: entered, read, damaged, lost and left."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from portfolios.models import BrokerAccount
from portfolios.services import account_set_credentials
from tests.alpaca import payloads
from tests.alpaca.requests import request
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import Fault, World, now
from tests.portfolios.builders import BY_TEST
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.alpaca import stream as stream_module
from trading.brokers.base import BrokerAccessError, BrokerOrderStatus, BrokerUnreachableError, BrokerUpdate, OrderType


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "QUIET_SECONDS", 0.02)


@pytest.fixture
def updates(broker: AlpacaBroker, server: AlpacaServer) -> Iterator[Iterator[BrokerUpdate]]:
    with closing(broker.stream()) as stream:  # type: ignore[type-var]  # this one can be closed
        assert server.listening.wait(5)
        yield stream


def told(updates: Iterator[BrokerUpdate], count: int = 1) -> list[BrokerUpdate]:
    """Return the next updates that tell something."""
    found = [one for one in _some(updates) if one != BrokerUpdate()]
    while len(found) < count:
        found += [one for one in _some(updates) if one != BrokerUpdate()]
    return found[:count]


def _some(updates: Iterator[BrokerUpdate]) -> list[BrokerUpdate]:
    return [next(updates)]


def test_it_says_at_first_that_it_listens_and_later_that_it_lives(updates: Iterator[BrokerUpdate]) -> None:
    assert [next(updates), next(updates)] == [BrokerUpdate(), BrokerUpdate()]


@pytest.mark.parametrize("binary", [True, False])
def test_an_orders_states_and_fills_come_with_the_ids_that_asking_gives(
    broker: AlpacaBroker, updates: Iterator[BrokerUpdate], server: AlpacaServer, binary: bool
) -> None:
    server.binary = binary
    broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
    # Activities of the same millisecond come in any order.
    server.world.fill("vb-1", 4, "183.9", at=now())
    server.world.fill("vb-1", 6, "183.8", at=now() + dt.timedelta(milliseconds=5))
    seen = told(updates, 5)
    states = [one.order.status for one in seen if one.order is not None]
    fills = [one.fill for one in seen if one.fill is not None]
    assert states == [BrokerOrderStatus.WORKING, BrokerOrderStatus.PARTIALLY_FILLED, BrokerOrderStatus.FILLED]
    assert [(fill.client_order_id, fill.quantity) for fill in fills] == [("vb-1", 4), ("vb-1", 6)]
    assert fills == list(broker.fills_since(""))


def test_fills_that_their_activities_tell_late_are_read_when_they_come(
    broker: AlpacaBroker, updates: Iterator[BrokerUpdate], world: World
) -> None:
    broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
    late = world.fill("vb-1", 10, "183.9")
    world.activities.clear()
    assert [one.order.status for one in told(updates, 2) if one.order] == ["working", "filled"]
    assert next(updates) == BrokerUpdate()
    world.activities.append(late)
    fill = told(updates)[0].fill
    assert fill is not None
    assert fill.broker_fill_id == late["id"]


def test_a_fault_while_fills_are_read_does_not_break_the_line(
    broker: AlpacaBroker, updates: Iterator[BrokerUpdate], world: World
) -> None:
    broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
    world.faults += [Fault("GET", "activities", status=503, body={"message": "down"})] * 2
    world.fill("vb-1", 10, "183.9")
    assert [one.fill for one in told(updates, 3) if one.fill] == list(broker.fills_since(""))
    assert world.faults == []


def _order(status: Any = "new") -> dict[str, Any]:
    body = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    return payloads.order(body, now()) | {"status": status}


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        b"\x80\x81\xff",
        "[1, 2]",
        '"text"',
        "[" * 5000,
        json.dumps({"stream": "trade_updates"}),
        json.dumps({"stream": "trade_updates", "data": {"event": "fill"}}),
        json.dumps(payloads.trade_update("fill", _order("melted"), now())),
        json.dumps(payloads.trade_update("fill", _order() | {"id": "7"}, now())),
        json.dumps(payloads.trade_update("fill", _order() | {"symbol": ["IBM"]}, now())),
    ],
)
def test_a_damaged_frame_is_refused_with_the_reason_and_the_next_is_read(
    updates: Iterator[BrokerUpdate], server: AlpacaServer, frame: str | bytes
) -> None:
    server.publish(frame)
    server.publish(payloads.trade_update("new", _order(), now()))
    first, second = told(updates, 2)
    assert first.doubtful is not None
    # The local Alpaca sends binary frames, as Alpaca does.
    assert first.doubtful.content == (frame if isinstance(frame, bytes) else frame.encode())
    assert 0 < len(first.doubtful.why) <= stream_module.SHOWN_CHARACTERS
    assert second.order is not None


def test_messages_of_other_streams_are_passed_over(updates: Iterator[BrokerUpdate], server: AlpacaServer) -> None:
    server.publish({"stream": "listening", "data": {"streams": ["trade_updates"]}})
    server.publish(payloads.trade_update("new", _order(), now()))
    assert told(updates)[0].order is not None


def test_a_message_of_absurd_length_ends_the_line(
    updates: Iterator[BrokerUpdate], server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.publish("x" * (stream_module.LARGEST_MESSAGE + 1))
    with pytest.raises(BrokerUnreachableError, match="was lost"):
        told(updates)


def test_a_lost_line_is_told(updates: Iterator[BrokerUpdate], server: AlpacaServer) -> None:
    server.hang_up()
    with pytest.raises(BrokerUnreachableError, match="the line to Alpaca's stream was lost: ConnectionClosed"):
        told(updates)


def test_where_nobody_answers_there_is_no_stream(account: BrokerAccount) -> None:
    account.settings = {"alpaca": {"trading_url": "http://127.0.0.1:9"}}
    with pytest.raises(BrokerUnreachableError, match="ConnectionRefusedError"):
        AlpacaBroker(account).stream()


def test_keys_that_are_refused_are_told_without_being_repeated(account: BrokerAccount) -> None:
    wrong = {"key_id": "PKWRONGWRONG000000", "secret_key": "wrong-secret-of-somebody-else"}
    account_set_credentials(account=account, values=wrong, origin=BY_TEST)
    with pytest.raises(BrokerAccessError, match="does not accept the keys of account Paper at Alpaca") as refusal:
        AlpacaBroker(account).stream()
    assert wrong["secret_key"] not in str(refusal.value)
