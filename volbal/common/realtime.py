"""Push to those who watch: typed payloads, sent after commit, to groups keyed by tenant.

`EmbeddedChannelLayer` serves the one embedded process. The stock in-memory layer leaves a message from a worker's
thread in a queue that the server's loop does not notice; this one hands it over to the loop that receives.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import threading
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from asgiref.sync import async_to_sync
from channels.layers import BaseChannelLayer, get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class Payload(DataclassInstance, Protocol):
        """A frozen dataclass whose `kind` tells the page what it is."""

        @property
        def kind(self) -> str: ...


logger = logging.getLogger(__name__)
CAPACITY = 200
COMPRESSION = 5


def portfolio_group(tenant_id: int, portfolio_id: int) -> str:
    """Return the name of the group that watches one portfolio."""
    return f"tenant.{tenant_id}.portfolio.{portfolio_id}"


def halts_group(tenant_id: int | None) -> str:
    """Return the name of the group that hears of halts of a tenant, or of those that stand above every tenant."""
    return "halts" if tenant_id is None else f"tenant.{tenant_id}.halts"


@dataclass(frozen=True, slots=True)
class HaltsChanged:
    """Something was halted or resumed: pages that show halts look again. It says no more, for all may hear it."""

    kind: str = "halts"


def publish_on_commit(group: str, payload: Payload) -> None:
    """Send `payload` to a group once the surrounding transaction has committed; at once outside one."""
    transaction.on_commit(lambda: _publish(group, payload))


def is_watched(group: str) -> bool:
    """Whether anybody hears a group, so that what is costly to work out is worth it; where nobody knows, it is.

    Who begins to watch in between asks for the present anyway.
    """
    layer: Any = get_channel_layer()
    try:
        return layer is not None and async_to_sync(layer.is_heard)(group)
    except (OSError, RedisError):
        return True


def _publish(group: str, payload: Payload) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    # Once for everybody who hears it: a server that compressed for each socket would do little else.
    packed = gzip.compress(orjson.dumps(asdict(payload), default=str), COMPRESSION, mtime=0)
    try:
        async_to_sync(layer.group_send)(group, {"type": "push", "packed": packed})
    except (OSError, RedisError):
        # A page that misses a push polls; the books are committed either way.
        logger.warning("could not push %s to %s", payload.kind, group, exc_info=True)


class EmbeddedChannelLayer(BaseChannelLayer):
    """A channel layer for one process in which workers are threads beside the server's event loop."""

    extensions = ["groups", "flush"]

    def __init__(self, capacity: int = CAPACITY, **kwargs: Any) -> None:
        super().__init__(capacity=capacity, **kwargs)
        self._lock = threading.Lock()
        self._receivers: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Queue[dict[str, Any]]]] = {}
        self._groups: dict[str, set[str]] = {}

    async def new_channel(self, prefix: str = "specific") -> str:
        """Return a fresh channel name owned by the running loop."""
        name = f"{prefix}.{uuid.uuid4().hex}"
        with self._lock:
            self._receivers[name] = (asyncio.get_running_loop(), asyncio.Queue(self.capacity))
        return name

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Hand a message to the loop that receives on `channel`; a full or closed channel drops it."""
        with self._lock:
            receiver = self._receivers.get(channel)
        if receiver is None:
            return
        loop, queue = receiver
        if not loop.is_closed():
            loop.call_soon_threadsafe(_put, queue, dict(message))

    async def receive(self, channel: str) -> dict[str, Any]:
        """Wait for the next message on `channel`; a cancelled receiver is forgotten."""
        with self._lock:
            if channel not in self._receivers:
                self._receivers[channel] = (asyncio.get_running_loop(), asyncio.Queue(self.capacity))
            queue = self._receivers[channel][1]
        try:
            return await queue.get()
        except asyncio.CancelledError:
            self._forget(channel)
            raise

    async def group_add(self, group: str, channel: str) -> None:
        """Let `channel` hear what is sent to `group`."""
        with self._lock:
            self._groups.setdefault(group, set()).add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        """Let `channel` hear no more of `group`."""
        with self._lock:
            members = self._groups.get(group, set())
            members.discard(channel)
            if not members:
                self._groups.pop(group, None)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send a message to every channel of `group`."""
        with self._lock:
            channels = list(self._groups.get(group, ()))
        for channel in channels:
            await self.send(channel, message)

    async def is_heard(self, group: str) -> bool:
        """Return whether a channel hears a group."""
        with self._lock:
            return group in self._groups

    async def flush(self) -> None:
        """Forget every channel and group."""
        with self._lock:
            self._receivers.clear()
            self._groups.clear()

    def _forget(self, channel: str) -> None:
        with self._lock:
            self._receivers.pop(channel, None)
            for members in self._groups.values():
                members.discard(channel)
            self._groups = {group: members for group, members in self._groups.items() if members}


def _put(queue: asyncio.Queue[dict[str, Any]], message: dict[str, Any]) -> None:
    if not queue.full():
        queue.put_nowait(message)
