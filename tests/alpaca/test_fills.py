"""Fills, holdings and open orders as Alpaca tells them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache

from tests.alpaca.requests import request
from tests.alpaca.world import World, now
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.base import DoubtfulReport, FillReport, OrderType


class TestFills:
    def test_fills_come_with_our_ids_in_order_and_only_once_more_for_the_overlap(
        self, broker: AlpacaBroker, world: World
    ) -> None:
        broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        world.fill("vb-1", "0.5", "183.99", at=now() - dt.timedelta(seconds=2))
        world.fill("vb-1", "9.5", "183.98", at=now() - dt.timedelta(seconds=1))
        reports = broker.fills_since("")
        assert [(one.client_order_id, one.quantity, one.price, one.currency) for one in reports] == [
            ("vb-1", Decimal("0.5"), Decimal("183.99"), "USD"),
            ("vb-1", Decimal("9.5"), Decimal("183.98"), "USD"),
        ]
        assert [one.commission for one in reports] == [None, None]
        assert len({one.broker_fill_id for one in reports}) == 2
        assert broker.fills_since(reports[-1].cursor) == reports

    def test_a_fill_that_comes_late_is_read_although_later_ones_were(self, broker: AlpacaBroker, world: World) -> None:
        broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        world.fill("vb-1", 1, 184)
        cursor = broker.fills_since("")[-1].cursor
        late = world.fill("vb-1", 1, 184, at=now() - dt.timedelta(minutes=2))
        assert late["id"] in {one.broker_fill_id for one in broker.fills_since(cursor)}

    def test_the_cursor_never_goes_back_and_old_fills_are_left_behind(self, broker: AlpacaBroker, world: World) -> None:
        broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        old = world.fill("vb-1", 1, 184, at=now() + dt.timedelta(minutes=1))
        world.fill("vb-1", 1, 184, at=now() + dt.timedelta(minutes=10))
        cursors = [one.cursor for one in broker.fills_since("")]
        assert cursors == sorted(cursors)
        assert old["id"] not in {one.broker_fill_id for one in broker.fills_since(cursors[-1])}

    def test_fills_from_before_the_account_was_opened_here_are_not_ours(
        self, broker: AlpacaBroker, world: World
    ) -> None:
        broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        world.fill("vb-1", 1, 184, at=now() - dt.timedelta(days=1))
        assert broker.fills_since("") == []

    def test_pages_are_read_to_their_end(
        self, broker: AlpacaBroker, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("trading.brokers.alpaca.broker.ACTIVITIES_A_PAGE", 3)
        broker.submit(request(1, quantity=Decimal(100), type=OrderType.LIMIT, limit_price=Decimal(184)))
        start = now()
        for number in range(7):
            world.fill("vb-1", 1, 184, at=start + dt.timedelta(milliseconds=10 * number))
        assert len(broker.fills_since("")) == 7

    def test_whose_fill_it_is_is_asked_once_for_an_order_that_is_not_at_hand(
        self, broker: AlpacaBroker, world: World
    ) -> None:
        broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        world.fill("vb-1", 1, 184)
        cache.clear()
        for _ in range(2):
            assert [one.client_order_id for one in broker.fills_since("")] == ["vb-1"]
        assert sum(path.startswith("/v2/orders/") for _, path in world.requests) == 1

    def test_a_fill_of_an_order_that_alpaca_does_not_find_is_told_without_an_id_of_ours(
        self, broker: AlpacaBroker, world: World
    ) -> None:
        placed = broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        activity = world.fill("vb-1", 1, 184)
        world.activities[0] = activity | {"order_id": "00000000-0000-0000-0000-000000000000"}
        told = broker.fills_since("")[0]
        assert (told.client_order_id, told.symbol, told.side) == ("", "IBM", "BUY")
        assert told.broker_order_id != placed.broker_order_id

    @pytest.mark.parametrize(
        "damage, why",
        [
            ({"order_id": 12}, "order_id is 12, expected a text"),
            ({"side": "held"}, "side is 'held', expected one of buy, sell, sell_short"),
            ({"transaction_time": "yesterday!"}, "transaction_time is 'yesterday!', expected a time"),
            ({"id": ""}, "id is '', expected a text"),
        ],
    )
    def test_one_that_cannot_be_read_is_handed_over_whole_and_the_others_are_read(
        self, broker: AlpacaBroker, world: World, damage: dict[str, Any], why: str
    ) -> None:
        broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        world.fill("vb-1", 1, 184)
        world.fill("vb-1", 2, 184)
        world.activities[0] = world.activities[0] | damage
        told = broker.fills_since("")
        assert [one.quantity for one in told if isinstance(one, FillReport)] == [Decimal(2)]
        doubtful = [one for one in told if isinstance(one, DoubtfulReport)]
        assert [(one.content, one.why, one.read_from) for one in doubtful] == [(world.activities[0], why, "")]

    def test_pages_are_read_on_past_one_that_cannot_be_read(
        self, broker: AlpacaBroker, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("trading.brokers.alpaca.broker.ACTIVITIES_A_PAGE", 2)
        broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        start = now()
        for number in range(4):
            world.fill("vb-1", 1, 184, at=start + dt.timedelta(milliseconds=10 * number))
        ids = [one["id"] for one in world.activities]
        world.activities[1] = world.activities[1] | {"order_id": None}
        told = broker.fills_since("")
        assert {one.broker_fill_id for one in told if isinstance(one, FillReport)} == {ids[0], ids[2], ids[3]}


def test_positions_and_cash_are_alpacas(broker: AlpacaBroker, world: World) -> None:
    world.shares["MSFT"] = Decimal("-2")
    world.shares["IBM"] = Decimal("1.25")
    world.cash = Decimal("1234.56")
    held = broker.holdings()
    assert (held.shares, held.cash, held.is_total) == (
        {"MSFT": Decimal(-2), "IBM": Decimal("1.25")},
        Decimal("1234.56"),
        True,
    )


def test_open_orders_are_read_page_by_page(broker: AlpacaBroker, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading.brokers.alpaca.broker.ORDERS_A_PAGE", 3)
    for number in range(8):
        broker.submit(request(number))
    assert [order.client_order_id for order in broker.open_orders()] == [f"vb-{number}" for number in range(8)]
