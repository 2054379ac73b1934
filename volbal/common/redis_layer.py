"""Push over Redis to many sockets: a message is published once for each group, and each server hands it on itself.

The stock layer writes a copy for each socket into Redis, which a thousand sockets feel. The stock publishing layer, on
which this one stands, lets a socket that reads too slowly pile up messages for ever; this one drops its oldest.
"""

from __future__ import annotations

import asyncio
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer
from channels_redis.utils import _wrap_close

CAPACITY = 100


class NewestQueue(asyncio.Queue[Any]):
    """A queue that makes room by dropping what is oldest: newer prices say more."""

    def put_nowait(self, item: Any) -> None:
        """Add a message at once."""
        if self.full():
            self.get_nowait()
        super().put_nowait(item)


class _LoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]  # the library has no types
    async def _subscribe_to_channel(self, channel: str) -> None:
        self.channels[channel] = NewestQueue(CAPACITY)
        await self._get_shard(channel).subscribe(channel)

    async def is_heard(self, group: str) -> bool:
        name = self._get_group_channel_name(group)
        shard = self._get_shard(name)
        async with shard._lock:
            shard._ensure_redis()
            [(_, count)] = await shard._redis.pubsub_numsub(name)
        return bool(count)


class RedisLayer(RedisPubSubChannelLayer):  # type: ignore[misc]  # the library has no types
    """The channel layer of many processes.

    `prefix` tells installations on one Redis apart: what is published there knows of no database numbers.
    """

    async def is_heard(self, group: str) -> bool:
        """Return whether any server hears a group."""
        return bool(await self._get_layer().is_heard(group))

    def _get_layer(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = _LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)  # gives its connections back when the loop ends
        return self._layers[loop]
