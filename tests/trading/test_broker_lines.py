"""A broker that is silent or hangs delays its own orders, and nobody else's."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, ClassVar

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
from trading.brokers.base import BrokerUnreachableError
from trading.models import BrokerLine, Order
from trading.services import broker_turns, intent_sending
from trading.services.broker_lines import LONGEST_PAUSE_SECONDS, pause_seconds
from trading.services.broker_patience import SILENT_IN_A_ROW
from trading.services.broker_turns import DOUBTFUL_AT_ONCE, Turn, broker_turn
from trading.services.sending import Sent, account_send
from volbal.common.exclusive import only_one
from volbal.common.serving.workers import PLANS
from volbal.common.tenancy import every_tenant, tenant_scope

WAIT_SECONDS = 20


def at(seconds: float) -> Any:
    return time_machine.travel(OPEN + dt.timedelta(seconds=seconds), tick=False)


def is_left_alone(desk: Desk) -> bool:
    with broker_turn(account_id=desk.account.pk, kind="send") as turn:
        return turn is Turn.LATER


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
            assert is_left_alone(told_desk)
        broker.silent = False
        with at(60):
            account_send(account_id=told_desk.account.pk)
            assert not is_left_alone(told_desk)
        assert BrokerLine.objects.get().failed_in_a_row == 0
        assert (told("broker.answers"), len(broker.book)) == (1, 1)

    def test_after_three_orders_without_an_answer_the_others_wait_as_intents(
        self, told_desk: Desk, broker: StandInBroker
    ) -> None:
        symbols = [f"S{number}" for number in range(5)]
        for symbol in symbols:
            open_cell(told_desk.portfolio, symbol)
        tick(told_desk.portfolio, dict.fromkeys(symbols, 104))
        broker.silent_after_accepting = True
        account_send(account_id=told_desk.account.pk)
        assert sorted(Order.objects.values_list("status", flat=True)) == [*["intent"] * 2, *["unknown"] * 3]
        assert len(broker.requests) == SILENT_IN_A_ROW == 3

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
        assert not is_left_alone(told_desk)
        assert client.post(address, {"reason": "once more"}).status_code == 200


class TestDoubtful:
    """Brokers that kept someone waiting share a few places, so that the other threads stay free."""

    @pytest.fixture(autouse=True)
    def _forget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(broker_turns, "_slow", set())

    def test_a_slow_turn_makes_a_broker_doubtful_and_a_quick_one_no_more(
        self, told_desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(broker_turns, "_doubtful_slots", threading.BoundedSemaphore(1))
        monkeypatch.setattr(broker_turns, "SLOW_SECONDS", -1.0)
        for account_id in (1, 2):
            with broker_turn(account_id=account_id, kind="send") as turn:
                assert turn is Turn.OURS
        monkeypatch.setattr(broker_turns, "SLOW_SECONDS", 60.0)
        with broker_turn(account_id=1, kind="send") as first, broker_turn(account_id=2, kind="send") as second:
            assert (first, second) == (Turn.OURS, Turn.LATER)
        with broker_turn(account_id=2, kind="send") as second:
            assert second is Turn.OURS
        with broker_turn(account_id=1, kind="send") as first, broker_turn(account_id=2, kind="send") as second:
            assert (first, second) == (Turn.OURS, Turn.OURS)

    def test_a_place_is_given_back_whatever_happens(self, told_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(broker_turns, "_doubtful_slots", threading.BoundedSemaphore(1))
        broker_turns._slow.add(("send", 1))
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                self._fail_at(1)

    def _fail_at(self, account_id: int) -> None:
        with broker_turn(account_id=account_id, kind="send") as turn:
            assert turn is Turn.OURS
            raise ZeroDivisionError

    def test_the_orders_that_a_slow_broker_has_no_time_for_wait_for_the_next_sending(
        self, told_desk: Desk, broker: StandInBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        symbols = [f"S{number}" for number in range(5)]
        for symbol in symbols:
            open_cell(told_desk.portfolio, symbol)
        tick(told_desk.portfolio, dict.fromkeys(symbols, 104))
        passed = itertools.count(0, 6)
        monkeypatch.setattr(intent_sending, "time", SimpleNamespace(monotonic=lambda: float(next(passed))))
        for accepted in (1, 2):
            account_send(account_id=told_desk.account.pk)
            states = sorted(Order.objects.values_list("status", flat=True))
            assert states == [*["accepted"] * accepted, *["intent"] * (5 - accepted)]


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


class DeadBroker(StandInBroker):
    """Hold whoever calls until it is told to let go, then give no answer."""

    callers: ClassVar[list[int]] = []
    let_go: ClassVar[threading.Event] = threading.Event()

    def _answer(self) -> None:
        self.callers.append(1)
        assert self.let_go.wait(WAIT_SECONDS)
        raise BrokerUnreachableError("no answer in time")


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_while_ten_brokers_hang_again_and_again_the_orders_of_others_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    """At first each of them holds a thread once; from then on they share a few, however few threads there are."""
    (plan,) = (plan for plan in PLANS if "orders" in plan.queues)
    healthy: dict[int, StandInBroker] = defaultdict(StandInBroker)
    monkeypatch.setitem(registry._factories, "dead", lambda account: DeadBroker())
    monkeypatch.setitem(registry._factories, "healthy", lambda account: healthy[account.pk])
    dead = [make_desk(f"dead-{number}", broker="dead") for number in range(10)]
    good = [make_desk(f"good-{number}", broker="healthy") for number in range(2)]
    for desk in good:
        with tenant_scope(desk.tenant.pk):
            open_cell(desk.portfolio)
            tick(desk.portfolio, {"IBM": 104})

    def send(desk: Desk) -> None:
        try:
            with tenant_scope(desk.tenant.pk):
                account_send(account_id=desk.account.pk)
        finally:
            connection.close()

    def callers_while_an_order_arrives(desk: Desk, threads: int) -> int:
        """Return how many threads are held by dead brokers while the order of `desk` reaches its own."""
        DeadBroker.let_go.clear()
        DeadBroker.callers.clear()
        with ThreadPoolExecutor(threads) as pool:
            try:
                held = [pool.submit(send, one) for one in dead]
                pool.submit(send, desk).result(WAIT_SECONDS)
                return sum(not one.done() for one in held)
            finally:
                DeadBroker.let_go.set()

    assert callers_while_an_order_arrives(good[0], plan.concurrency) == len(dead)
    with every_tenant():
        assert BrokerLine.objects.update(next_attempt_at=None) == len(dead)
    assert callers_while_an_order_arrives(good[1], DOUBTFUL_AT_ONCE + 1) == DOUBTFUL_AT_ONCE
    assert [len(healthy[desk.account.pk].book) for desk in good] == [1, 1]
