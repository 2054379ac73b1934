"""The ASGI server of the embedded process, on sockets that are bound already."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

# How long an open page may hold up the end; a socket is told to come back, a request is cut.
GRACEFUL_SECONDS = 1


class EmbeddedServer(uvicorn.Server):
    """uvicorn in the main thread; says when it takes requests, and returns quietly when told to end."""

    def __init__(self, application: str, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Messages come compressed; doing it for each socket takes longer than all the rest.
                ws_per_message_deflate=False,
                timeout_graceful_shutdown=GRACEFUL_SECONDS,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests, then say so."""
        await super().startup(sockets)
        self._on_ready()
