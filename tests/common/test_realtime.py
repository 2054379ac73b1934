"""Push in one process: what another thread sends reaches the loop that waits, in order, and only its group."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from volbal.common.realtime import EmbeddedChannelLayer, is_watched, portfolio_group, publish_on_commit
from volbal.common.redis_layer import NewestQueue, RedisLayer

SOON = 5  # seconds until a message that never comes fails the test


@dataclass(frozen=True, slots=True)
class Hello:
    """A payload."""

    number: int
    kind: str = "hello"


def _in_thread(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


async def _received(layer: Any, channel: str) -> dict[str, Any]:
    return await asyncio.wait_for(layer.receive(channel), SOON)


async def test_a_message_from_another_thread_wakes_the_receiver() -> None:
    layer = EmbeddedChannelLayer()
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    waiting = asyncio.create_task(_received(layer, channel))
    await asyncio.sleep(0)
    send = async_to_sync(layer.group_send)
    await asyncio.to_thread(_in_thread, lambda: send("group", {"type": "push", "text": "1"}))
    assert await waiting == {"type": "push", "text": "1"}


async def test_messages_keep_their_order_and_their_group() -> None:
    layer = EmbeddedChannelLayer()
    mine, other = await layer.new_channel(), await layer.new_channel()
    await layer.group_add("mine", mine)
    await layer.group_add("other", other)
    for number in range(5):
        await layer.group_send("mine", {"number": number})
    assert [(await _received(layer, mine))["number"] for _ in range(5)] == list(range(5))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(layer.receive(other), 0.01)


async def test_who_left_or_is_unknown_hears_nothing() -> None:
    layer = EmbeddedChannelLayer()
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    await layer.group_discard("group", channel)
    await layer.group_discard("group", channel)
    await layer.group_send("group", {"number": 1})
    await layer.send("nobody", {"number": 1})
    await layer.send(channel, {"number": 2})
    assert (await _received(layer, channel))["number"] == 2


async def test_a_receiver_that_is_cancelled_is_forgotten() -> None:
    layer = EmbeddedChannelLayer()
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    waiting = asyncio.create_task(layer.receive(channel))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await layer.group_send("group", {"number": 1})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(layer.receive(channel), 0.01)


async def test_a_full_channel_drops_what_is_newer_and_a_flush_forgets_all() -> None:
    layer = EmbeddedChannelLayer(capacity=2)
    channel = await layer.new_channel()
    for number in range(4):
        await layer.send(channel, {"number": number})
    assert [(await _received(layer, channel))["number"] for _ in range(2)] == [0, 1]
    await layer.group_add("group", channel)
    await layer.flush()
    await layer.group_send("group", {"number": 9})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(layer.receive(channel), 0.01)


class _Recorder:
    """A layer that keeps what it is given, or fails to reach its server."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.failure = failure

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append((group, orjson.loads(gzip.decompress(message["packed"]))))

    async def is_heard(self, group: str) -> bool:
        if self.failure is not None:
            raise self.failure
        return False


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> _Recorder:
    made = _Recorder()
    monkeypatch.setattr("volbal.common.realtime.get_channel_layer", lambda: made)
    return made


def test_nothing_is_sent_before_the_commit(transactional_db: None, recorder: _Recorder) -> None:
    with transaction.atomic():
        publish_on_commit(portfolio_group(1, 2), Hello(1))
        assert recorder.sent == []
    assert recorder.sent == [("tenant.1.portfolio.2", {"number": 1, "kind": "hello"})]


def test_what_is_rolled_back_is_never_sent(transactional_db: None, recorder: _Recorder) -> None:
    with transaction.atomic():
        publish_on_commit("group", Hello(1))
        transaction.set_rollback(True)
    assert recorder.sent == []


def test_a_push_that_fails_leaves_the_commit_alone(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    layer = _Recorder(ConnectionError("gone"))
    monkeypatch.setattr("volbal.common.realtime.get_channel_layer", lambda: layer)
    with transaction.atomic():
        publish_on_commit("group", Hello(1))
    assert "could not push hello to group" in caplog.text


def test_where_nobody_knows_who_watches_it_is_worked_out_all_the_same(
    recorder: _Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_watched("group")
    recorder.failure = ConnectionError("gone")
    assert is_watched("group")


async def test_a_group_is_heard_while_a_channel_is_in_it() -> None:
    await _is_heard_while_joined(EmbeddedChannelLayer())


@pytest.mark.services
async def test_over_redis_a_group_is_heard_while_a_channel_is_in_it() -> None:
    await _is_heard_while_joined(RedisLayer(**settings.CHANNEL_LAYERS["default"]["CONFIG"]))


async def _is_heard_while_joined(layer: Any) -> None:
    channel = await layer.new_channel()
    assert not await layer.is_heard("heard")
    await layer.group_add("heard", channel)
    assert await layer.is_heard("heard")
    await layer.group_discard("heard", channel)
    assert not await layer.is_heard("heard")
    await layer.flush()


def test_without_redis_the_embedded_layer_serves(settings: Any) -> None:
    if settings.REDIS_URL == "":
        assert isinstance(get_channel_layer(), EmbeddedChannelLayer)
    else:
        assert not isinstance(get_channel_layer(), EmbeddedChannelLayer)


async def test_a_socket_that_reads_too_slowly_keeps_what_is_newest() -> None:
    queue = NewestQueue(2)
    for number in range(4):
        queue.put_nowait(number)
    assert [queue.get_nowait(), queue.get_nowait()] == [2, 3]
    assert queue.empty()


@pytest.mark.services
async def test_over_redis_a_group_is_told_by_one_message_and_another_installation_hears_nothing() -> None:
    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    here, there = RedisLayer(**config), RedisLayer(**{**config, "prefix": "another"})
    mine = [await here.new_channel() for _ in range(3)]
    other = await there.new_channel()
    for layer, channels in ((here, mine), (there, [other])):
        for channel in channels:
            await layer.group_add("group", channel)
    await send_in_thread(here, "group", {"type": "push", "text": "1"})
    assert [await _received(here, channel) for channel in mine] == [{"type": "push", "text": "1"}] * 3
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(there.receive(other), 0.2)
    await here.flush()
    await there.flush()


async def send_in_thread(layer: Any, group: str, message: dict[str, Any]) -> None:
    """Send as a worker does: from a thread without a loop of its own."""
    await asyncio.to_thread(_in_thread, lambda: async_to_sync(layer.group_send)(group, message))
