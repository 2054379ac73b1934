"""Orders at Alpaca: what is sent, what it answers, and its refusals with their codes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.alpaca.requests import request
from tests.alpaca.world import Fault, World
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.base import BrokerOrderStatus, BrokerRejectedError, OrderType, TimeInForce


def test_an_order_is_placed_found_by_our_id_and_cancelled(broker: AlpacaBroker, world: World) -> None:
    limit = request(type=OrderType.LIMIT, limit_price=Decimal("184.35"), quantity=Decimal("1.5"))
    placed = broker.submit(limit)
    assert (placed.client_order_id, placed.status, placed.quantity) == (
        "vb-1",
        BrokerOrderStatus.WORKING,
        Decimal("1.5"),
    )
    assert broker.order("vb-1") == placed
    assert broker.open_orders() == [placed]
    assert broker.cancel("vb-1") is True
    assert broker.cancel("vb-1") is False
    ended = broker.order("vb-1")
    assert ended is not None
    assert ended.status == BrokerOrderStatus.CANCELLED
    assert broker.open_orders() == []


def test_an_order_never_placed_is_not_known_and_cannot_be_cancelled(broker: AlpacaBroker) -> None:
    assert broker.order("vb-none") is None
    assert broker.cancel("vb-none") is False


@pytest.mark.parametrize(
    "changes",
    [
        {"type": OrderType.LIMIT, "limit_price": Decimal(180), "time_in_force": TimeInForce.IOC},
        {"type": OrderType.STOP, "stop_price": Decimal(190), "time_in_force": TimeInForce.GTC},
        {"type": OrderType.STOP_LIMIT, "stop_price": Decimal(190), "limit_price": Decimal(191)},
        {"type": OrderType.LIMIT, "limit_price": Decimal(180), "extended_hours": True},
        {"quantity": Decimal("0.000001")},
    ],
)
def test_what_alpaca_takes_is_sent_as_it_was_asked(broker: AlpacaBroker, world: World, changes: dict[str, Any]) -> None:
    broker.submit(request(**changes))
    sent = next(iter(world.orders.values()))
    asked = request(**changes)
    assert (sent["type"], sent["time_in_force"], Decimal(sent["qty"])) == (
        asked.type,
        asked.time_in_force,
        asked.quantity,
    )
    assert sent["extended_hours"] is asked.extended_hours


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"quantity": Decimal("1.5"), "time_in_force": TimeInForce.GTC}, "orders that last gtc take whole shares only"),
        ({"type": OrderType.STOP, "stop_price": Decimal(1), "time_in_force": TimeInForce.IOC}, "at once or not at all"),
        ({"extended_hours": True}, "only these are taken, for a day: limit"),
    ],
)
def test_what_alpaca_does_not_take_is_refused_before_it_is_sent(
    broker: AlpacaBroker, world: World, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(BrokerRejectedError, match=why) as refusal:
        broker.submit(request(**changes))
    assert refusal.value.code == "not_supported"
    assert world.requests == []


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"type": OrderType.LIMIT, "limit_price": Decimal(20_000)}, "insufficient_funds"),
        ({"side": "SELL"}, "insufficient_shares"),
        ({"symbol": "NONE"}, "unknown_symbol"),
        ({"symbol": "HALT"}, "not_tradable"),
        ({"symbol": "WHOLE", "quantity": Decimal("0.5")}, "fraction_not_allowed"),
    ],
)
def test_alpacas_no_has_a_code_and_its_own_words(
    broker: AlpacaBroker, world: World, changes: dict[str, Any], code: str
) -> None:
    world.list_asset("HALT", tradable=False)
    world.list_asset("WHOLE", fractionable=False)
    with pytest.raises(BrokerRejectedError) as refusal:
        broker.submit(request(**changes))
    assert refusal.value.code == code
    assert str(refusal.value)
    assert world.orders == {}


@pytest.mark.parametrize(
    "message, code",
    [
        ("potential wash trade detected. use complex orders", "wash_trade"),
        ("market is closed", "market_closed"),
        ("account is restricted to liquidation only", "account_blocked"),
        ("trade denied due to pattern day trading protection", "day_trading"),
        ("something new", "rejected"),
    ],
)
def test_other_refusals_have_codes_too(broker: AlpacaBroker, world: World, message: str, code: str) -> None:
    world.faults.append(Fault("POST", status=403, body={"code": 40310000, "message": message}))
    with pytest.raises(BrokerRejectedError, match=message[:12]) as refusal:
        broker.submit(request())
    assert refusal.value.code == code


def test_the_same_order_again_is_the_same_order(broker: AlpacaBroker, world: World) -> None:
    first = broker.submit(request())
    assert broker.submit(request()) == first
    assert len(world.orders) == 1
