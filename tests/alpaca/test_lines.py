"""Streams followed: what they tell reaches the books, what they missed is asked for, and how they stand is kept."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from portfolios.models import BrokerAccount, Event, Portfolio, User
from portfolios.services import account_remove_credentials, portfolio_create
from tests.alpaca import payloads
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import World, now
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, open_cell, tick
from trading import tasks
from trading.brokers.alpaca import stream as stream_module
from trading.models import BrokerConnection, Fill, Order, RefusedReport
from trading.services.orders import orders_send
from trading.services.refused_reports import refused_report_retry
from trading.services.stream_states import LEASE, stream_claim
from trading.streams import line as line_module
from trading.streams.line import AccountLine
from trading.streams.runner import StreamRunner
from volbal.common.errors import Refused
from volbal.common.tenancy import tenant_scope

State = BrokerConnection.State


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "QUIET_SECONDS", 0.02)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Any]]:
    """What to do each time the account's sender is woken, in turn; the rest is nothing."""
    steps: list[Callable[[], Any]] = []

    def wake(tenant_id: int, account_id: int) -> None:
        if steps:
            steps.pop(0)()

    monkeypatch.setattr(tasks.send_orders, "apply_async", lambda arguments, **_: wake(*arguments))
    return steps


@pytest.fixture
def line(account: BrokerAccount) -> AccountLine:
    return AccountLine(account, "here:1")


def standing(account: BrokerAccount) -> BrokerConnection:
    return BrokerConnection.objects.get(account=account)


@pytest.fixture
def _in_session() -> Iterator[None]:
    with time_machine.travel(OPEN, tick=True):
        yield


@pytest.fixture
def sent(_in_session: None, account: BrokerAccount, world: World) -> Order:
    """An order of a cell, accepted by Alpaca."""
    # Nothing is sent before books and broker agree.
    world.shares["IBM"], world.cash = Decimal(50), Decimal(5_000)
    portfolio = portfolio_create(
        account=account,
        name="Core",
        mode=Portfolio.Mode.PAPER,
        feed="synthetic",
        tick_interval_seconds=60,
        origin=BY_TEST,
    )
    cell = open_cell(portfolio)
    tick(portfolio, {"IBM": 104})
    orders_send(account_id=account.pk)
    order = Order.objects.get(cell=cell)
    assert order.status == Order.Status.ACCEPTED, order.status_detail
    return order


def test_a_fill_that_the_stream_tells_is_booked_and_ends_the_order(
    sent: Order,
    account: BrokerAccount,
    world: World,
    line: AccountLine,
    woken: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken += [lambda: world.fill(sent.client_order_id, sent.quantity, "104.01")]
    monkeypatch.setattr(line_module, "portfolio_publish", lambda **_: line.end())
    assert line.follow_once() == 0.0
    sent.refresh_from_db()
    assert Fill.objects.get().price == Decimal("104.01")
    assert (sent.status, sent.filled_quantity) == (Order.Status.FILLED, sent.quantity)
    orders_send(account_id=account.pk)
    assert Fill.objects.count() == 1


def test_a_fill_that_cannot_be_read_waits_for_a_person_and_is_booked_once_it_can_be(
    sent: Order, account: BrokerAccount, world: World
) -> None:
    damaged = world.fill(sent.client_order_id, 1, "104.01")
    whole = dict(damaged)
    damaged["side"] = "sideways"
    world.fill(sent.client_order_id, 2, "104.02")
    for _ in range(2):
        orders_send(account_id=account.pk)
    kept = RefusedReport.objects.get()
    assert (kept.code, kept.status, kept.repetitions) == ("unreadable", "open", 2)
    assert kept.payload["content"] == {name: str(value) for name, value in damaged.items()}
    assert [fill.quantity for fill in Fill.objects.all()] == [2]
    with pytest.raises(Refused, match="refused as before"):
        refused_report_retry(report=kept, origin=BY_TEST)
    damaged |= whole
    refused_report_retry(report=RefusedReport.objects.get(), origin=BY_TEST)
    assert RefusedReport.objects.get().status == "booked"
    sent.refresh_from_db()
    assert sent.filled_quantity == 3


def test_parts_of_an_order_and_its_cancellation_are_followed(
    sent: Order, account: BrokerAccount, world: World, line: AccountLine, woken: list[Any]
) -> None:
    def happen() -> None:
        world.fill(sent.client_order_id, 1, "104.01")
        world.fill(sent.client_order_id, 2, "104.02")
        world.end(sent.client_order_id, "canceled")

    woken += [happen, line.end]
    line.follow_once()
    sent.refresh_from_db()
    assert (sent.status, sent.filled_quantity, Fill.objects.count()) == (Order.Status.CANCELLED, 3, 2)


def test_what_happened_while_nobody_listened_is_asked_for(
    sent: Order, account: BrokerAccount, world: World, line: AccountLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.fill(sent.client_order_id, sent.quantity, "104.01")

    def collect(tenant_id: int, account_id: int) -> None:
        orders_send(account_id=account_id)
        line.end()

    monkeypatch.setattr(tasks.send_orders, "apply_async", lambda arguments, **_: collect(*arguments))
    line.follow_once()
    sent.refresh_from_db()
    assert sent.status == Order.Status.FILLED


def test_a_line_that_is_lost_is_noted_and_tried_again_with_growing_pauses(
    account: BrokerAccount, server: AlpacaServer, line: AccountLine, woken: list[Any]
) -> None:
    woken += [server.hang_up] * 6
    pauses = [line.follow_once() for _ in range(6)]
    assert all(0.25 * 2**number <= pause <= 0.5 * 2**number for number, pause in enumerate(pauses))
    row = standing(account)
    assert (row.state, row.losses) == (State.WAITING, 6)
    assert row.error.startswith("the line to Alpaca's stream was lost: ConnectionClosed")
    told = Event.objects.filter(kind__startswith="stream.").order_by("id").values_list("kind", flat=True)
    assert list(told)[:2] == ["stream.connected", "stream.lost"]


def test_an_outage_is_one_event_however_often_it_is_tried(account: BrokerAccount, line: AccountLine) -> None:
    BrokerAccount.objects.update(settings={"alpaca": {"trading_url": "http://127.0.0.1:9"}})
    for _ in range(3):
        line.follow_once()
    assert Event.objects.filter(kind="stream.lost").count() == 1
    assert standing(account).losses == 3


def test_pauses_end_at_half_a_minute_and_a_message_makes_them_short_again(
    account: BrokerAccount, server: AlpacaServer, line: AccountLine, woken: list[Any]
) -> None:
    line._failures = 50
    woken += [server.hang_up]
    assert 15.0 <= line.follow_once() <= 30.0

    def speak_and_go() -> None:
        server.publish("not json")
        server.hang_up()

    woken += [speak_and_go]
    assert line.follow_once() <= 0.5


def test_messages_that_cannot_be_read_are_kept_with_the_reason_and_the_broker_is_asked(
    account: BrokerAccount, server: AlpacaServer, line: AccountLine, woken: list[Any]
) -> None:
    damaged = payloads.trade_update("fill", {"id": 7}, now())

    def speak() -> None:
        server.publish("no json")
        server.publish(damaged)

    woken += [speak, lambda: None, line.end]
    line.follow_once()
    row = standing(account)
    assert (row.messages, row.refused_messages) == (2, 2)
    assert row.refusal
    assert row.last_message_at is not None
    first, second = RefusedReport.objects.order_by("id")
    assert (first.code, first.status, first.payload["content"]) == ("unreadable", "open", "no json")
    assert json.loads(second.payload["content"]) == damaged
    assert second.sentence.startswith("It cannot be taken: TradeUpdate.")
    assert woken == []


def test_keys_that_are_refused_are_said_and_tried_again_in_a_minute(
    account: BrokerAccount, line: AccountLine, world: World
) -> None:
    account_remove_credentials(account=account, origin=BY_TEST)
    assert line.follow_once() == line_module.REFUSED_SECONDS
    row = standing(account)
    assert (row.state, row.error) == (
        State.REFUSED,
        "Account Paper at Alpaca has no keys for Alpaca; set them in the console.",
    )


def test_one_process_follows_an_account_and_another_takes_over_when_it_is_gone(
    account: BrokerAccount, line: AccountLine, woken: list[Any]
) -> None:
    assert stream_claim(of=account, owner="there:2") is True
    assert line.follow_once() == line_module.CLAIM_SECONDS
    with time_machine.travel(now() + LEASE + dt.timedelta(seconds=1)):
        woken += [line.end]
        assert line.follow_once() == 0.0
        assert standing(account).owner == "here:1"
        assert stream_claim(of=account, owner="there:2") is False


def test_a_line_whose_lease_went_to_another_process_is_left(
    account: BrokerAccount, line: AccountLine, woken: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "RENEW_SECONDS", 0.0)
    woken += [lambda: BrokerConnection.objects.update(owner="there:2")]
    assert line.follow_once() == 0.0
    assert line.follow_once() == line_module.CLAIM_SECONDS


def test_the_console_shows_how_streams_stand_and_whom_nobody_follows(account: BrokerAccount) -> None:
    stream_claim(of=account, owner="here:1")
    BrokerConnection.objects.update(state=State.CONNECTED, error="the line was lost")
    client = Client()
    with tenant_scope(account.tenant_id):
        client.force_login(User.objects.create_superuser("platform@example.com"))
    address = reverse("admin:trading_brokerconnection_changelist")
    assert "Connected" in client.get(address).content.decode()
    with time_machine.travel(now() + LEASE * 2):
        page = client.get(address).content.decode()
    assert "Nobody follows it: its process was killed" in page
    assert "the line was lost" in page


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
class TestRunner:
    """Threads with connections of their own, as the command has them."""

    def test_it_follows_reconnects_and_leaves(
        self, account: BrokerAccount, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = threading.Semaphore(0)
        monkeypatch.setattr(tasks.send_orders, "apply_async", lambda *_, **__: calls.release())
        runner = StreamRunner()
        runner.start()
        assert calls.acquire(timeout=10)
        assert standing(account).state == State.CONNECTED
        server.hang_up()
        assert calls.acquire(timeout=10)
        assert standing(account).losses == 1
        runner.end()
        runner.join(10)
        assert not runner.is_alive()
        row = standing(account)
        assert (row.state, row.owner, row.lease_until) == (State.STOPPED, "", None)

    def test_new_keys_open_a_new_line_and_a_dead_one_is_started_again(
        self, account: BrokerAccount, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = threading.Semaphore(0)
        monkeypatch.setattr(tasks.send_orders, "apply_async", lambda *_, **__: calls.release())
        runner = StreamRunner()
        runner.look()
        first = runner._lines[account.pk][1]
        assert calls.acquire(timeout=10)
        account_remove_credentials(account=account, origin=BY_TEST)
        runner.look()
        first.join(10)
        runner.look()
        second = runner._lines[account.pk][1]
        assert second is not first
        second.end()
        second.join(10)
        assert not second.is_alive()
