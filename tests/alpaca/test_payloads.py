"""What the local server sends is what Alpaca's own models accept: it cannot drift away from what is published."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from alpaca.data.models import Bar, Quote, Snapshot, Trade
from alpaca.data.models.corporate_actions import CashDividend, CorporateActionsSet, ForwardSplit, ReverseSplit
from alpaca.trading.models import Asset, Clock, Order, Position, TradeAccount, TradeActivity, TradeUpdate
from hypothesis import given
from hypothesis import strategies as st

from tests.alpaca import payloads
from tests.alpaca.world import RefusalError, World, now
from trading.brokers.alpaca.payloads import (
    STATUSES,
    PayloadError,
    cash_read,
    fill_read,
    order_body,
    order_read,
    position_read,
    update_read,
)
from trading.brokers.alpaca.stream import update_of
from trading.brokers.base import BrokerOrderStatus, OrderRequest, OrderType, TimeInForce

BODY = {"symbol": "IBM", "qty": "1.5", "side": "buy", "type": "limit", "limit_price": "184.35", "time_in_force": "day"}


def _world() -> World:
    world = World()
    world.list_asset("IBM")
    return world


def test_an_order_is_accepted_by_alpacas_model_in_every_state() -> None:
    for status in STATUSES:
        placed = payloads.order(BODY, now()) | {"status": status}
        assert Order(**placed).status.value == status


def test_every_state_that_alpaca_knows_is_known_to_us() -> None:
    from alpaca.trading.enums import OrderStatus

    assert set(STATUSES) == {status.value for status in OrderStatus}


def test_account_position_asset_and_clock_are_accepted_by_alpacas_models() -> None:
    TradeAccount(**payloads.account(Decimal("1234.56")))
    Position(**payloads.position("IBM", Decimal("1.5")))
    Position(**payloads.position("IBM", Decimal(-3)))
    Asset(**payloads.asset("IBM"))
    Clock(**payloads.clock(now()))


def test_activities_and_messages_of_a_fill_are_accepted_by_alpacas_models() -> None:
    world, said = _world(), []
    world.publish = said.append
    placed = world.place(BODY | {"client_order_id": "vb-1"})
    activity = world.fill("vb-1", "0.5", "184.1")
    world.fill("vb-1", 1, "184.2")
    assert TradeActivity(**activity).type.value == "partial_fill"
    assert [str(TradeActivity(**one).order_id) for one in world.activities] == [placed["id"]] * 2
    updates = [TradeUpdate(**message["data"]) for message in said]
    assert [update.event for update in updates] == ["new", "partial_fill", "fill"]
    assert updates[1].qty == 0.5


def test_prices_and_corporate_actions_are_accepted_by_alpacas_models() -> None:
    Snapshot("IBM", payloads.snapshot("184.30", "184.40", "184.35", "183", now()))
    Quote("IBM", payloads.quote("184.30", "184.40", now()))
    Trade("IBM", payloads.trade("184.35", now()))
    Bar("IBM", payloads.bar(now(), "184.35"))
    raw = {
        "cash_dividends": [payloads.cash_dividend("IBM", 1.66, "2024-05-09", "2024-06-10")],
        "forward_splits": [payloads.forward_split("AAPL", 4, 1, "2020-08-31")],
        "reverse_splits": [payloads.reverse_split("GE", 1, 8, "2021-08-02")],
    }
    kinds = {type(one[0]) for one in CorporateActionsSet(raw).data.values()}
    assert kinds == {CashDividend, ForwardSplit, ReverseSplit}


def _request(**changes: Any) -> OrderRequest:
    return OrderRequest(
        **({"client_order_id": "vb-1", "symbol": "IBM", "side": "BUY", "quantity": Decimal(3)} | changes)
    )


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, {"type": "market", "time_in_force": "day", "qty": "3", "side": "buy"}),
        (
            {"type": OrderType.LIMIT, "limit_price": Decimal("184.357"), "quantity": Decimal("1.250000")},
            {"type": "limit", "limit_price": "184.35", "qty": "1.25"},
        ),
        ({"side": "SELL", "type": OrderType.LIMIT, "limit_price": Decimal("184.351")}, {"limit_price": "184.36"}),
        ({"side": "SELL", "type": OrderType.STOP, "stop_price": Decimal("170.009")}, {"stop_price": "170.00"}),
        (
            {
                "type": OrderType.STOP_LIMIT,
                "stop_price": Decimal("0.123449"),
                "limit_price": Decimal("0.123459"),
                "time_in_force": TimeInForce.GTC,
            },
            {"type": "stop_limit", "stop_price": "0.1235", "limit_price": "0.1234", "time_in_force": "gtc"},
        ),
        ({"quantity": Decimal(1000)}, {"qty": "1000"}),
    ],
)
def test_what_is_posted_is_accepted_by_alpacas_model_of_requests(changes: Any, expected: dict[str, Any]) -> None:
    from alpaca.trading import requests

    body = order_body(_request(**changes))
    models = {
        "market": requests.MarketOrderRequest,
        "limit": requests.LimitOrderRequest,
        "stop": requests.StopOrderRequest,
        "stop_limit": requests.StopLimitOrderRequest,
    }
    known = models[body["type"]](**body)
    assert known.client_order_id == "vb-1"
    assert {name: body[name] for name in expected} == expected


@given(price=st.decimals(min_value="0.0002", max_value="900000", places=6), buys=st.booleans())
def test_a_limit_on_alpacas_grid_is_never_worse_than_what_was_asked(price: Decimal, buys: bool) -> None:
    side = "BUY" if buys else "SELL"
    sent = Decimal(order_body(_request(side=side, type=OrderType.LIMIT, limit_price=price))["limit_price"])
    assert (sent <= price) if buys else (sent >= price)
    assert abs(sent - price) < Decimal("0.01")


def test_numbers_are_read_exactly_as_they_are_written() -> None:
    placed = payloads.order(BODY | {"qty": "0.123456789"}, now()) | {"filled_qty": "0.1"}
    order = order_read(placed)
    assert (order.quantity, order.filled_quantity) == (Decimal("0.123456789"), Decimal("0.1"))
    assert cash_read(payloads.account(Decimal("-12.34"))) == Decimal("-12.34")
    assert position_read(payloads.position("IBM", Decimal("-3"))) == ("IBM", Decimal(-3))
    assert position_read(payloads.position("IBM", Decimal("-3")) | {"qty": "3"}) == ("IBM", Decimal(-3))


@pytest.mark.parametrize("quantity", ["0", "-3", "many", None, "NaN"])
def test_a_fill_with_no_sensible_quantity_is_passed_on_for_the_books_to_refuse(quantity: str | None) -> None:
    world = _world()
    world.place(BODY | {"client_order_id": "vb-1"})
    report = fill_read(world.fill("vb-1", 1, 184) | {"qty": quantity}, client_order_id="vb-1", cursor="c")
    assert report.quantity.is_nan() or report.quantity <= 0
    assert report.price == 184


@pytest.mark.parametrize(
    "damage",
    [
        {"id": None},
        {"id": 7},
        {"transaction_time": "yesterday"},
        {"transaction_time": "2024-03-07T15:30:00"},
        {"order_id": ""},
    ],
)
def test_a_fill_that_cannot_be_told_apart_or_dated_is_refused(damage: dict[str, Any]) -> None:
    world = _world()
    world.place(BODY | {"client_order_id": "vb-1"})
    with pytest.raises(PayloadError):
        fill_read(world.fill("vb-1", 1, 184) | damage, client_order_id="vb-1", cursor="c")


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3),
    max_leaves=8,
)


@given(payload=_JSON)
def test_no_payload_does_more_than_be_refused(payload: Any) -> None:
    for read in (order_read, update_read, position_read, cash_read):
        with pytest.raises(PayloadError):
            read(payload)


@given(frame=st.binary(max_size=64) | st.text(max_size=64) | _JSON.map(lambda one: payloads_text(one)))
def test_no_frame_does_more_than_be_refused(frame: str | bytes) -> None:
    update = update_of(frame)
    assert update.order is None
    assert update.fill is None


def payloads_text(payload: Any) -> str:
    return json.dumps({"stream": "trade_updates", "data": payload})


@pytest.mark.parametrize("as_text", [True, False])
def test_a_message_tells_where_the_order_stands(as_text: bool) -> None:
    placed = payloads.order(BODY | {"client_order_id": "vb-1"}, now()) | {
        "status": "partially_filled",
        "filled_qty": "1",
    }
    frame = json.dumps(payloads.trade_update("partial_fill", placed, now(), price="184.1", qty="1", position_qty="1"))
    update = update_of(frame if as_text else frame.encode())
    assert update.order is not None
    assert (update.order.client_order_id, update.order.status, update.order.filled_quantity) == (
        "vb-1",
        BrokerOrderStatus.PARTIALLY_FILLED,
        Decimal(1),
    )


def test_the_world_refuses_as_alpaca_does() -> None:
    world = _world()
    world.place(BODY | {"client_order_id": "vb-1"})
    with pytest.raises(RefusalError, match="client_order_id must be unique"):
        world.place(BODY | {"client_order_id": "vb-1"})
