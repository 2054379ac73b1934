"""The adapter against a server that speaks Alpaca's API: what it asks, understands and never repeats."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache

from portfolios.models import BrokerAccount
from portfolios.services import account_create, account_remove_credentials, account_set_credentials
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import SECRET_KEY, Fault, World, now
from tests.portfolios.builders import BY_TEST
from trading.brokers.alpaca import AlpacaBroker, client
from trading.brokers.base import (
    BrokerAccessError,
    BrokerBusyError,
    BrokerOrderStatus,
    BrokerRejectedError,
    BrokerUnreachableError,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from trading.brokers.registry import broker_of
from volbal.common.errors import Refused

OVERLOADED = {"message": "service unavailable"}


def request(number: int = 1, **changes: Any) -> OrderRequest:
    plain = {"client_order_id": f"vb-{number}", "symbol": "IBM", "side": "BUY", "quantity": Decimal(10)}
    return OrderRequest(**(plain | changes))


def posts(world: World) -> int:
    return sum(method == "POST" for method, _ in world.requests)


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


def test_an_answer_that_is_lost_leaves_one_order_that_is_found_by_asking(broker: AlpacaBroker, world: World) -> None:
    world.faults.append(Fault("POST", drops=True))
    with pytest.raises(BrokerUnreachableError) as silence:
        broker.submit(request())
    assert not isinstance(silence.value, BrokerBusyError)
    assert posts(world) == 1
    found = broker.order("vb-1")
    assert found is not None
    assert found.status == BrokerOrderStatus.WORKING


def test_a_cancellation_whose_answer_is_lost_is_learned_by_asking(broker: AlpacaBroker, world: World) -> None:
    broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
    world.faults.append(Fault("DELETE", drops=True))
    with pytest.raises(BrokerUnreachableError):
        broker.cancel("vb-1")
    ended = broker.order("vb-1")
    assert ended is not None
    assert ended.status == BrokerOrderStatus.CANCELLED


def test_an_answer_that_comes_too_late_is_no_answer(
    broker: AlpacaBroker, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A line of its own: those that are open already have their limits.
    monkeypatch.setattr(client, "_kept", threading.local())
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.1)
    world.faults.append(Fault("POST", delay_seconds=0.5))
    with pytest.raises(BrokerUnreachableError, match="gave no answer to POST /orders: ReadTimeout"):
        broker.submit(request())
    assert posts(world) == 1


def test_a_server_that_is_not_there_gives_no_answer(account: BrokerAccount) -> None:
    account.settings = {"alpaca": {"trading_url": "http://127.0.0.1:9"}}
    with pytest.raises(BrokerUnreachableError, match="gave no answer"):
        AlpacaBroker(account).open_orders()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_alpacas_is_no_answer_and_nothing_is_repeated(
    broker: AlpacaBroker, world: World, status: int
) -> None:
    world.faults.append(Fault("POST", status=status, body=OVERLOADED))
    with pytest.raises(BrokerUnreachableError, match=f"Alpaca answered {status}") as silence:
        broker.submit(request())
    assert not isinstance(silence.value, BrokerBusyError | BrokerAccessError)
    assert posts(world) == 1


@pytest.mark.parametrize(
    "body", [b"<html>moved</html>", [1, 2], {"id": "not an id"}, {"id": None, "status": "new"}, "text"]
)
def test_an_answer_that_is_not_alpacas_is_no_answer(broker: AlpacaBroker, world: World, body: Any) -> None:
    for method, ask in (
        ("POST", lambda: broker.submit(request())),
        ("GET", lambda: broker.order("vb-1")),
        ("GET", broker.holdings),
    ):
        world.faults.append(Fault(method, status=200, body=body))
        with pytest.raises(BrokerUnreachableError):
            ask()
        world.faults.clear()


def test_a_page_of_a_proxy_is_not_repeated_into_messages(broker: AlpacaBroker, world: World) -> None:
    world.faults.append(Fault("GET", status=403, body=b"<html>" + b"x" * 4000))
    with pytest.raises(BrokerUnreachableError) as silence:
        broker.order("vb-1")
    assert "is not Alpaca's" in str(silence.value)
    assert len(str(silence.value)) < 200


class TestKeys:
    def test_keys_that_alpaca_refuses_place_no_order_and_say_what_to_do(
        self, account: BrokerAccount, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        wrong = {"key_id": "PKWRONGWRONG000000", "secret_key": "wrong-secret-of-somebody-else"}
        connected = AlpacaBroker(account_set_credentials(account=account, values=wrong, origin=BY_TEST))
        with pytest.raises(BrokerAccessError, match="does not accept the keys of account Paper at Alpaca") as no:
            connected.submit(request())
        with pytest.raises(BrokerAccessError, match="Set them anew in the console, those for paper trading") as closed:
            connected.open_orders()
        for told in (str(no.value), str(closed.value), repr(connected.client.credentials), caplog.text):
            assert wrong["secret_key"] not in told
            assert SECRET_KEY not in told

    def test_without_keys_nothing_is_sent(self, account: BrokerAccount, world: World) -> None:
        unarmed = AlpacaBroker(account_remove_credentials(account=account, origin=BY_TEST))
        with pytest.raises(BrokerAccessError, match="has no keys for Alpaca; set them in the console"):
            unarmed.submit(request())
        with pytest.raises(BrokerAccessError):
            unarmed.order("vb-1")
        assert world.requests == []

    @pytest.mark.parametrize("message", ["forbidden.", "request is not authorized"])
    def test_a_door_that_is_shut_is_told_apart_from_an_order_refused(
        self, broker: AlpacaBroker, world: World, message: str
    ) -> None:
        world.faults.append(Fault("GET", status=403, body={"message": message, "code": 40310000}))
        with pytest.raises(BrokerAccessError):
            broker.order("vb-1")


class TestLimits:
    def _allow(self, account: BrokerAccount, count: int) -> AlpacaBroker:
        account.settings = {"alpaca": account.settings["alpaca"] | {"requests_a_minute": count}}
        return AlpacaBroker(account)

    def test_what_is_beyond_the_limit_is_not_sent_and_cancels_still_are(
        self, account: BrokerAccount, world: World
    ) -> None:
        broker = self._allow(account, 20)
        for number in range(18):
            broker.submit(request(number))
        with pytest.raises(BrokerBusyError, match="limit of 20 requests a minute is used up"):
            broker.submit(request(19))
        with pytest.raises(BrokerBusyError):
            broker.fills_since("")
        assert posts(world) == 18
        assert [broker.cancel("vb-0"), broker.cancel("vb-1")] == [True, True]
        with pytest.raises(BrokerBusyError):
            broker.cancel("vb-2")

    def test_all_processes_count_together(self, account: BrokerAccount) -> None:
        first, second = self._allow(account, 20), self._allow(account, 20)
        for number in range(9):
            first.submit(request(number))
            second.submit(request(number + 100))
        for one in (first, second):
            with pytest.raises(BrokerBusyError):
                one.order("vb-1")

    def test_a_minute_later_there_is_room_again(self, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch) -> None:
        broker = self._allow(account, 4)
        broker.submit(request(1))
        broker.submit(request(2))
        limit = broker.client.limit
        at = {"time": 1_000_000.0}
        monkeypatch.setattr("trading.brokers.rates.time.time", lambda: at["time"])
        assert [limit.take() for _ in range(4)] == [True, True, True, False]
        at["time"] += 59
        assert limit.take() is False
        at["time"] += 11
        assert limit.take() is True

    def test_when_alpaca_says_too_many_nothing_more_is_sent_until_it_said(
        self, broker: AlpacaBroker, world: World
    ) -> None:
        reset = str(int(now().timestamp()) + 30)
        too_many = {"code": 42910000, "message": "rate limit exceeded"}
        world.faults.append(Fault("POST", status=429, body=too_many, headers=(("X-Ratelimit-Reset", reset),)))
        with pytest.raises(BrokerBusyError, match="did not do this one"):
            broker.submit(request())
        with pytest.raises(BrokerBusyError, match="used up"):
            broker.submit(request())
        assert posts(world) == 1
        assert broker.cancel("vb-1") is False
        assert len(world.requests) == 2


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

    def test_one_that_cannot_be_read_is_logged_whole_and_the_others_are_booked(
        self, broker: AlpacaBroker, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        broker.submit(request(1, type=OrderType.LIMIT, limit_price=Decimal(184)))
        world.fill("vb-1", 1, 184)
        world.fill("vb-1", 2, 184)
        world.activities[0] = world.activities[0] | {"order_id": 12}
        assert [one.quantity for one in broker.fills_since("")] == [Decimal(2)]
        assert "cannot be read (order_id is 12, expected a text)" in caplog.text


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


class TestAddresses:
    def test_a_live_account_goes_to_alpaca_and_nowhere_else(self, account: BrokerAccount, server: AlpacaServer) -> None:
        live = account_create(tenant=account.tenant, name="Live", broker="alpaca", is_live=True, origin=BY_TEST)
        assert AlpacaBroker(live).client.base_url == "https://api.alpaca.markets"
        live.settings = {"alpaca": {"trading_url": server.url}}
        with pytest.raises(Refused, match="goes to Alpaca's own addresses only") as refusal:
            AlpacaBroker(live)
        assert refusal.value.code == "endpoint_in_live"

    def test_keys_never_go_unencrypted_to_another_machine(self, account: BrokerAccount) -> None:
        account.settings = {"alpaca": {"trading_url": "http://alpaca.example"}}
        with pytest.raises(Refused, match="unencrypted"):
            AlpacaBroker(account)

    def test_a_paper_account_goes_to_alpacas_paper_trading(self, account: BrokerAccount) -> None:
        account.settings = {}
        assert AlpacaBroker(account).client.base_url == "https://paper-api.alpaca.markets"

    def test_the_registry_knows_it(self, account: BrokerAccount) -> None:
        assert isinstance(broker_of(account), AlpacaBroker)
