"""A broker that is silent or hangs delays its own orders, and nobody else's."""

from __future__ import annotations

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.urls import reverse

from portfolios.models import Cell, Event
from portfolios.services import member_add, user_create
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, make_desk, open_cell, tick
from tests.trading.standin import StandInBroker
from trading import tasks
from trading.brokers import registry
from trading.models import BrokerLine, Order
from trading.services.broker_lines import LONGEST_PAUSE_SECONDS, line_is_open, pause_seconds
from trading.services.sending import Sent, account_send
from volbal.common.exclusive import only_one
from volbal.common.tenancy import every_tenant, tenant_scope

WAIT_SECONDS = 20


def at(seconds: float) -> Any:
    return time_machine.travel(OPEN + dt.timedelta(seconds=seconds), tick=False)


def told(kind: str) -> int:
    return Event.objects.filter(kind=kind).count()


@pytest.mark.parametrize("failed,seconds", [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (500, 60)])
def test_the_pause_grows_to_a_minute(failed: int, seconds: int) -> None:
    assert pause_seconds(failed) == seconds <= LONGEST_PAUSE_SECONDS


class TestSilent:
    """It is left alone for growing pauses, and called as usual again once it answers."""

    def test_it_is_called_less_and_less_often(
        self, told_desk: Desk, told_cell: Cell, broker: StandInBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tick(told_desk.portfolio, {"IBM": 104})
        broker.silent = True
        called = []
        answer = StandInBroker._answer
        monkeypatch.setattr(StandInBroker, "_answer", lambda self: (called.append(1), answer(self)))
        attempts = []
        for second in range(70):
            with at(second):
                before = len(called)
                tasks.send_orders(told_desk.tenant.pk, told_desk.account.pk)
                if len(called) > before:
                    attempts.append(second)
        assert attempts == [0, 2, 6, 14, 30, 62]
        line = BrokerLine.objects.get()
        assert (line.failed_in_a_row, line.silent_since, line.last_error) == (6, OPEN, "no answer")
        assert told("broker.silent") == 1

    def test_the_first_answer_ends_the_pauses(self, told_desk: Desk, told_cell: Cell, broker: StandInBroker) -> None:
        tick(told_desk.portfolio, {"IBM": 104})
        broker.silent = True
        with at(0):
            account_send(account_id=told_desk.account.pk)
            assert not line_is_open(account_id=told_desk.account.pk)
        broker.silent = False
        with at(60):
            account_send(account_id=told_desk.account.pk)
            assert line_is_open(account_id=told_desk.account.pk)
        assert BrokerLine.objects.get().failed_in_a_row == 0
        assert (told("broker.answers"), len(broker.book)) == (1, 1)

    def test_after_one_order_without_an_answer_the_others_wait_as_intents(
        self, told_desk: Desk, broker: StandInBroker
    ) -> None:
        symbols = [f"S{number}" for number in range(5)]
        for symbol in symbols:
            open_cell(told_desk.portfolio, symbol)
        tick(told_desk.portfolio, dict.fromkeys(symbols, 104))
        broker.silent_after_accepting = True
        account_send(account_id=told_desk.account.pk)
        assert sorted(Order.objects.values_list("status", flat=True)) == [*["intent"] * 4, "unknown"]
        assert len(broker.requests) == 1

    def test_an_operator_sees_it_and_calls_it_now(
        self, told_desk: Desk, told_cell: Cell, broker: StandInBroker
    ) -> None:
        tick(told_desk.portfolio, {"IBM": 104})
        broker.silent = True
        account_send(account_id=told_desk.account.pk)
        person = user_create(email="operator@people.example", password="long enough 1", origin=BY_TEST)
        member_add(tenant=told_desk.tenant, user=person, role="operator", origin=BY_TEST)
        client = Client()
        client.force_login(person)
        assert "no answer" in client.get(reverse("admin:trading_brokerline_changelist")).content.decode()
        address = f"{reverse('admin:trading_brokerline_operation_retry')}?ids={told_desk.account.pk}"
        assert client.post(address, {"reason": "they say it is back"}).status_code == 302
        assert line_is_open(account_id=told_desk.account.pk)
        assert client.post(address, {"reason": "once more"}).status_code == 200


def test_a_second_sender_of_an_account_leaves_and_says_that_orders_wait(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    with only_one("send", told_desk.account.pk):
        assert account_send(account_id=told_desk.account.pk) == Sent(waits=True)
    account_send(account_id=told_desk.account.pk)
    with only_one("send", told_desk.account.pk):
        assert account_send(account_id=told_desk.account.pk) == Sent(waits=False)
    assert len(broker.requests) == 1


def test_what_arrived_during_a_sending_is_sent_again(
    told_desk: Desk, told_cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    again: list[float] = []
    monkeypatch.setattr(tasks.send_orders, "apply_async", lambda arguments, countdown: again.append(countdown))
    with only_one("send", told_desk.account.pk):
        tasks.send_orders(told_desk.tenant.pk, told_desk.account.pk)
    assert again == [tasks.SEND_AGAIN_SECONDS]


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_while_one_broker_hangs_the_order_of_another_account_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers of one pool: the first waits inside the dead broker, the second sends, and comes back for nothing."""
    reached, released = threading.Event(), threading.Event()

    def hangs() -> None:
        reached.set()
        assert released.wait(WAIT_SECONDS)

    dead, healthy = StandInBroker(during_submit=hangs), StandInBroker()
    monkeypatch.setitem(registry._factories, "dead", lambda account: dead)
    monkeypatch.setitem(registry._factories, "healthy", lambda account: healthy)
    desks = [make_desk("dead", broker="dead"), make_desk("healthy", broker="healthy")]
    for desk in desks:
        with tenant_scope(desk.tenant.pk):
            open_cell(desk.portfolio)
            tick(desk.portfolio, {"IBM": 104})

    def send(desk: Desk) -> float:
        try:
            started = time.perf_counter()
            with tenant_scope(desk.tenant.pk):
                tasks.account_send(account_id=desk.account.pk)
            return time.perf_counter() - started
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(send, desks[0])
        assert reached.wait(WAIT_SECONDS)
        # However many messages there are for the dead one, each leaves at once: none holds the second worker.
        others = [pool.submit(send, desks[0]) for _ in range(10)]
        pool.submit(send, desks[1]).result(WAIT_SECONDS)
        assert len(healthy.book) == 1
        assert all(other.done() for other in others)
        assert not first.done()
        released.set()
        first.result(WAIT_SECONDS)
    with every_tenant():
        assert set(Order.objects.values_list("status", flat=True)) == {"accepted"}
    assert len(dead.book) == 1
