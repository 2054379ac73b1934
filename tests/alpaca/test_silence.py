"""Answers of Alpaca that are lost, late, or none: nothing is repeated, and nothing is guessed."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from portfolios.models import BrokerAccount
from tests.alpaca.requests import posts, request
from tests.alpaca.world import Fault, World
from trading.brokers.alpaca import AlpacaBroker, client
from trading.brokers.alpaca.client import READS
from trading.brokers.base import (
    BrokerAccessError,
    BrokerBusyError,
    BrokerOrderStatus,
    BrokerUnreachableError,
    OrderType,
)

OVERLOADED = {"message": "service unavailable"}


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
        world.faults += [Fault(method, status=200, body=body)] * READS
        with pytest.raises(BrokerUnreachableError):
            ask()
        world.faults.clear()


@pytest.mark.parametrize("status", [403, 404, 422])
def test_a_page_of_a_proxy_says_nothing_of_an_order_and_is_not_repeated_into_messages(
    broker: AlpacaBroker, world: World, status: int
) -> None:
    page = b"<html>" + b"x" * 4000
    world.faults.append(Fault("POST", status=status, body=page))
    with pytest.raises(BrokerUnreachableError) as unsure:
        broker.submit(request())
    assert not isinstance(unsure.value, BrokerBusyError | BrokerAccessError)
    world.faults += [Fault("GET", status=status, body=page)] * READS
    with pytest.raises(BrokerUnreachableError) as silence:
        broker.order("vb-1")
    assert "is not Alpaca's" in str(silence.value)
    assert len(str(silence.value)) < 200


def gets(world: World) -> int:
    return sum(method == "GET" for method, _ in world.requests)


class TestReadsAgain:
    """A read that failed at once is made again; nothing else is."""

    @pytest.mark.parametrize("fault", [Fault("GET", status=503, body=OVERLOADED), Fault("GET", drops=True)])
    def test_a_read_that_failed_at_once_finds_its_answer_later(
        self, broker: AlpacaBroker, world: World, fault: Fault
    ) -> None:
        broker.submit(request())
        world.faults += [fault] * (READS - 1)
        assert broker.order("vb-1") is not None
        assert gets(world) == READS

    def test_it_is_given_up_after_a_few_attempts(self, broker: AlpacaBroker, world: World) -> None:
        world.faults += [Fault("GET", status=503, body=OVERLOADED)] * 10
        with pytest.raises(BrokerUnreachableError, match="Alpaca answered 503"):
            broker.open_orders()
        assert gets(world) == READS

    def test_each_attempt_counts_against_the_limit(self, account: BrokerAccount, world: World) -> None:
        account.settings = {"alpaca": account.settings["alpaca"] | {"requests_a_minute": 3}}
        world.faults += [Fault("GET", status=503, body=OVERLOADED)] * 10
        with pytest.raises(BrokerBusyError, match="limit of 3 requests a minute is used up"):
            AlpacaBroker(account).open_orders()
        assert gets(world) == 2

    def test_one_that_waited_long_is_not_made_again(
        self, broker: AlpacaBroker, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "READ_AGAIN_WITHIN_SECONDS", 0.05)
        world.faults += [Fault("GET", status=503, body=OVERLOADED, delay_seconds=0.1)] * 3
        with pytest.raises(BrokerUnreachableError):
            broker.open_orders()
        assert gets(world) == 1

    @pytest.mark.parametrize("status, body", [(401, {"message": "unauthorized."}), (404, {"message": "not found"})])
    def test_an_answer_is_an_answer(
        self, broker: AlpacaBroker, world: World, status: int, body: dict[str, str]
    ) -> None:
        world.faults.append(Fault("GET", status=status, body=body))
        with pytest.raises(BrokerUnreachableError):
            broker.open_orders()
        assert gets(world) == 1
