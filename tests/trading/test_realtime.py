"""Pushes: after commit only, one a portfolio and tick, to those who may see it, at once."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import orjson
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.db import connections, transaction
from redis.exceptions import ConnectionError as RedisConnectionError

from portfolios.models import Membership, User
from portfolios.services import place_resume, restriction_place
from portfolios.standings import everywhere, place_of
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, make_desk, make_replay, make_series, open_cell, tick
from trading import tasks
from trading.models import Evaluation
from trading.services.live import portfolio_publish
from trading.services.replays import replay_step
from volbal.common import realtime
from volbal.common.realtime import EmbeddedChannelLayer, halts_group, portfolio_group, publish_on_commit
from volbal.common.redis_layer import RedisLayer
from volbal.common.tenancy import tenant_scope
from volbal.routing import websocket_urlpatterns


@dataclass(frozen=True, slots=True)
class Note:
    """The smallest payload."""

    kind: str


def unpacked(message: bytes) -> Any:
    return orjson.loads(gzip.decompress(message))


@dataclass(slots=True)
class RecordingLayer:
    """A layer that keeps what is sent, or that is gone."""

    gone: bool = False
    watched: bool = True
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        if self.gone:
            raise RedisConnectionError("connection refused")
        self.sent.append((group, unpacked(message["packed"])))

    async def is_heard(self, group: str) -> bool:
        return self.watched


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> RecordingLayer:
    one = RecordingLayer()
    monkeypatch.setattr(realtime, "get_channel_layer", lambda: one)
    return one


@pytest.fixture
def committed_desk(transactional_db: None) -> Iterator[Desk]:
    made = make_desk()
    with tenant_scope(made.tenant.pk):
        yield made


class TestPublishing:
    @pytest.mark.django_db(transaction=True)
    def test_nothing_is_sent_before_the_commit_and_nothing_after_a_rollback(self, layer: RecordingLayer) -> None:
        with transaction.atomic():
            publish_on_commit("one", Note("kept"))
            assert layer.sent == []
        assert layer.sent == [("one", {"kind": "kept"})]
        with transaction.atomic():
            publish_on_commit("one", Note("lost"))
            transaction.set_rollback(True)
        assert len(layer.sent) == 1

    @pytest.mark.django_db(transaction=True)
    def test_a_layer_that_is_gone_stops_nothing(self, layer: RecordingLayer, caplog: pytest.LogCaptureFixture) -> None:
        layer.gone = True
        publish_on_commit("one", Note("lost"))
        assert "could not push lost to one" in caplog.text

    def test_each_tick_is_one_message_and_its_orders_one_more(
        self, committed_desk: Desk, layer: RecordingLayer
    ) -> None:
        run = make_replay(committed_desk.account, make_series([100, 101, 104]))
        for _ in range(3):
            outcome = replay_step(run_id=run.pk, only_if_due=False)
            assert outcome is not None
            run.refresh_from_db()
            tasks.replay_follow_up(run.tenant_id, run, outcome)
        assert {group for group, _ in layer.sent} == {portfolio_group(run.tenant_id, run.portfolio_id)}
        told = [message for _, message in layer.sent]
        assert [message["kind"] for message in told] == ["tick", "tick", "tick", "orders"]
        assert [message["replay"]["position"] for message in told] == [1, 2, 3, 3]
        assert [message["value"] for message in told] == ["10000.00", "10050.00", "10200.00", "10199.93"]
        last = told[-1]["cells"][0]
        assert (last["symbol"], last["price"], last["anchor"], last["cash"]) == (
            "IBM", "104.000000", "104.000000", "5653.79",
        )  # fmt: skip
        assert (last["action"], last["change_ratio"]) == ("SELL", pytest.approx(104 / 101 - 1))
        assert [(fill["side"], fill["quantity"]) for fill in told[-1]["fills"]] == [("SELL", "6.287107")]
        assert told[2]["fills"] == []

    def test_a_portfolio_of_many_cells_is_told_in_a_fixed_number_of_queries(
        self, desk: Desk, layer: RecordingLayer, django_assert_num_queries: Any
    ) -> None:
        for count in (1, 12):
            for index in range(count):
                open_cell(desk.portfolio, f"S{count}{index:02}")
            tick(
                desk.portfolio, {f"S{count}{index:02}": 100 for index in range(count)}, OPEN.replace(minute=30 + count)
            )
            with django_assert_num_queries(6):
                portfolio_publish(portfolio_id=desk.portfolio.pk, kind="tick")
        assert Evaluation.objects.count() == 13

    def test_what_nobody_watches_is_not_worked_out(
        self, committed_desk: Desk, layer: RecordingLayer, django_assert_num_queries: Any
    ) -> None:
        layer.watched = False
        with django_assert_num_queries(1):
            portfolio_publish(portfolio_id=committed_desk.portfolio.pk, kind="tick")
        assert layer.sent == []

    @pytest.mark.parametrize("place", ["everywhere", "firm", "portfolio"])
    def test_a_halt_and_its_end_are_told_at_once_to_all_who_stand_under_it(
        self, committed_desk: Desk, layer: RecordingLayer, place: str
    ) -> None:
        places = {
            "everywhere": everywhere(),
            "firm": place_of(committed_desk.tenant),
            "portfolio": place_of(committed_desk.portfolio),
        }
        on = places[place]
        group = halts_group(None if place == "everywhere" else committed_desk.tenant.pk)
        with transaction.atomic():
            restriction_place(on=on, state="halted", origin=BY_TEST)
            assert layer.sent == [], "before the commit nobody is told"
        assert layer.sent == [(group, {"kind": "halts"})]
        place_resume(on=on, origin=by_owner(committed_desk))
        assert layer.sent == [(group, {"kind": "halts"})] * 2


class TestEmbeddedLayer:
    async def test_another_threads_message_arrives_at_once(self) -> None:
        layer = EmbeddedChannelLayer()
        channel = await layer.new_channel()
        await layer.group_add("one", channel)
        took = []
        for _ in range(5):
            waiting = asyncio.create_task(layer.receive(channel))
            await asyncio.sleep(0)
            started = time.perf_counter()
            Thread(target=lambda: async_to_sync(layer.group_send)("one", {"type": "push"})).start()
            assert await asyncio.wait_for(waiting, 5) == {"type": "push"}
            took.append(time.perf_counter() - started)
        # The stock layer would take half a second each time; a busy machine may be late once.
        assert min(took) < 0.1

    async def test_a_receiver_that_is_gone_is_forgotten(self) -> None:
        layer = EmbeddedChannelLayer()
        channel = await layer.new_channel()
        await layer.group_add("one", channel)
        waiting = asyncio.create_task(layer.receive(channel))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (layer._receivers, layer._groups) == ({}, {})
        await layer.group_send("one", {"type": "push"})
        await layer.send(channel, {"type": "push"})

    async def test_a_full_channel_drops_what_is_newest_and_takes_more_later(self) -> None:
        layer = EmbeddedChannelLayer(capacity=2)
        channel = await layer.new_channel()
        for number in range(3):
            await layer.send(channel, {"number": number})
        await asyncio.sleep(0)
        assert [(await layer.receive(channel))["number"] for _ in range(2)] == [0, 1]
        await layer.send(channel, {"number": 3})
        assert (await asyncio.wait_for(layer.receive(channel), 5))["number"] == 3

    async def test_who_left_a_group_hears_no_more_of_it(self) -> None:
        layer = EmbeddedChannelLayer()
        stays, leaves = await layer.new_channel(), await layer.new_channel()
        for channel in (stays, leaves):
            await layer.group_add("one", channel)
        await layer.group_discard("one", leaves)
        await layer.group_send("one", {"type": "push"})
        await layer.send(leaves, {"type": "direct"})
        assert await layer.receive(stays) == {"type": "push"}
        assert await layer.receive(leaves) == {"type": "direct"}
        await layer.flush()
        assert layer._groups == {}


def _member(desk: Desk, role: str, *, is_active: bool = True) -> User:
    user = User.objects.create_user(f"{role}@example.com", "long enough 1")
    Membership.objects.create(tenant=desk.tenant, user=user, role=role, is_active=is_active)
    return user


def _close_connections() -> None:
    connections.close_all()


async def _watch(user: Any, portfolio_id: int) -> ApplicationCommunicator:
    """Open a socket as the server would, and return it once it is accepted."""
    scope = {"type": "websocket", "path": f"/ws/portfolio/{portfolio_id}/", "headers": [], "user": user}
    socket = ApplicationCommunicator(URLRouter(websocket_urlpatterns), scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(timeout=10))["type"] == "websocket.accept"
    return socket


async def _leave(socket: ApplicationCommunicator) -> None:
    """End a socket as the server does once it is closed on either side, and the connections of its threads."""
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(timeout=10)
    await sync_to_async(_close_connections)()


@pytest.fixture
def two_desks(transactional_db: None) -> tuple[Desk, Desk]:
    return make_desk("north"), make_desk("south")


class TestSocket:
    """Whoever may not see a portfolio is closed with 4403; the others hear what is published."""

    @pytest.mark.parametrize("role", ["owner", "operator", "trader", "auditor"])
    async def test_a_member_hears_of_their_portfolio(self, two_desks: tuple[Desk, Desk], role: str) -> None:
        await self._hears(two_desks[0], role)

    @pytest.mark.services
    async def test_a_member_hears_of_it_over_redis(self, two_desks: tuple[Desk, Desk]) -> None:
        assert isinstance(get_channel_layer(), RedisLayer)
        await self._hears(two_desks[0], "trader")

    async def _hears(self, desk: Desk, role: str) -> None:
        user = await sync_to_async(_member)(desk, role)
        socket = await _watch(user, desk.portfolio.pk)
        told = await self._told(socket, desk)
        assert (told["kind"], told["portfolio_id"], told["cells"]) == ("tick", desk.portfolio.pk, [])
        await sync_to_async(self._halt)(desk)
        assert await self._heard(socket, "halts") == {"kind": "halts"}
        await _leave(socket)

    def _halt(self, desk: Desk) -> None:
        with tenant_scope(desk.tenant.pk):
            restriction_place(on=place_of(desk.account), state="halted", origin=BY_TEST)

    async def _heard(self, socket: ApplicationCommunicator, kind: str) -> Any:
        """Return the next message of a kind; what was published before it may still be on its way."""
        while (told := unpacked((await socket.receive_output(timeout=10))["bytes"]))["kind"] != kind:
            pass
        return told

    async def _told(self, socket: ApplicationCommunicator, desk: Desk) -> Any:
        """Publish until it is heard: the consumer joins its group some time after it is accepted."""
        for _ in range(40):
            await sync_to_async(self._publish)(desk)
            if not await socket.receive_nothing(timeout=0.5):
                break
        return unpacked((await socket.receive_output(timeout=10))["bytes"])

    def _publish(self, desk: Desk) -> None:
        with tenant_scope(desk.tenant.pk):
            portfolio_publish(portfolio_id=desk.portfolio.pk, kind="tick")

    @pytest.mark.parametrize("who", ["anonymous", "broker", "another tenant's owner", "no member any more"])
    async def test_whoever_may_not_see_it_is_closed_with_4403(self, two_desks: tuple[Desk, Desk], who: str) -> None:
        north, south = two_desks
        user: Any = AnonymousUser()
        if who == "broker":
            user = await sync_to_async(_member)(north, "broker")
        elif who == "another tenant's owner":
            user = await sync_to_async(_member)(south, "owner")
        elif who == "no member any more":
            user = await sync_to_async(_member)(north, "trader", is_active=False)
        socket = await _watch(user, north.portfolio.pk)
        assert await socket.receive_output(timeout=10) == {"type": "websocket.close", "code": 4403}
        await _leave(socket)

    async def test_a_portfolio_that_is_not_is_closed_with_4403(self, two_desks: tuple[Desk, Desk]) -> None:
        user = await sync_to_async(_member)(two_desks[0], "owner")
        socket = await _watch(user, 10**9)
        assert (await socket.receive_output(timeout=10))["code"] == 4403
        await _leave(socket)
