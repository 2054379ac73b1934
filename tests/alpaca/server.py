"""A server on this machine that speaks Alpaca's published Trading and Market Data API, over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from tests.alpaca import payloads
from tests.alpaca.world import OPEN_STATES, Fault, RefusalError, World, now

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class AlpacaServer:
    """Serve a world from a thread of its own until stopped."""

    def __init__(self, world: World) -> None:
        self.lines: set[asyncio.Queue[Any]] = set()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(
            uvicorn.Config(self, lifespan="off", log_config=None, access_log=False, ws="websockets-sansio")
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self.listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.serve(world)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, world: World) -> None:
        """Put another world behind the same address."""
        self.world, self.binary = world, True
        world.publish = self.publish

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10), "the local Alpaca did not start"

    def stop(self) -> None:
        self.hang_up()
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._ready.set)
            await self._server.serve(sockets=[self._socket])

        asyncio.run(serve())

    def publish(self, message: Any) -> None:
        """Send a message (an object, or a text or bytes as they are) to everyone who listens."""
        assert self._loop is not None
        done = threading.Event()

        def put() -> None:
            for line in self.lines:
                line.put_nowait(message)
            done.set()

        self._loop.call_soon_threadsafe(put)
        if threading.current_thread() is not self._thread:
            done.wait(5)

    def hang_up(self) -> None:
        """Close every line to the streams."""
        self.listening.clear()
        self.publish(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        method, path = scope["method"], scope["path"]
        with self.world.lock:
            self.world.requests.append((method, path))
            fault = self.world.fault_for(method, path) or Fault()
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        status, answer = self._answer(scope, method, path, body, fault)
        headers = [(name.encode(), value.encode()) for name, value in fault.headers]
        await self._send(send, status, answer, headers, drops=fault.drops)

    async def _send(self, send: Send, status: int, answer: Any, headers: list[Any], *, drops: bool) -> None:
        content = b"" if answer is None else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        # An answer shorter than announced makes the server cut the line.
        length = len(content) + (100 if drops else 0)
        start = {"type": "http.response.start", "status": 200 if drops else status}
        if status != 204 or drops:
            headers = [*headers, (b"content-type", b"application/json"), (b"content-length", str(length).encode())]
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if drops else content})

    def _answer(self, scope: Scope, method: str, path: str, body: bytes, fault: Fault) -> tuple[int, Any]:
        sent = {name.decode(): value.decode() for name, value in scope["headers"]}
        world = self.world
        if (sent.get("apca-api-key-id"), sent.get("apca-api-secret-key")) != (world.key_id, world.secret_key):
            return 401, {"code": 40110000, "message": "request is not authorized"}
        if fault.status:
            return fault.status, fault.body
        asked = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        try:
            with world.lock:
                return self._route(method, path, asked, json.loads(body) if body else {})
        except RefusalError as refusal:
            return refusal.status, refusal.body

    def _route(self, method: str, path: str, asked: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        world = self.world
        if method == "POST" and path == "/v2/orders":
            return 200, world.place(body)
        if number := re.fullmatch(r"/v2/orders/([0-9a-f-]{36})", path):
            if method == "DELETE":
                world.cancel(number[1])
                return 204, None
            if number[1] not in world.orders:
                raise RefusalError(404, 40410000, "order not found for " + number[1])
            return 200, world.orders[number[1]]
        routes: dict[str, Callable[[], Any]] = {
            "/v2/orders": lambda: _orders(world, asked),
            "/v2/orders:by_client_order_id": lambda: world.by_client_id(asked["client_order_id"]),
            "/v2/account/activities": lambda: _movements(world, asked),
            "/v2/account": lambda: payloads.account(world.cash),
            "/v2/account/activities/FILL": lambda: _activities(world, asked),
            "/v2/positions": lambda: [payloads.position(*held) for held in world.shares.items() if held[1]],
            "/v2/clock": lambda: payloads.clock(now()),
            "/v2/assets": lambda: list(world.assets.values()),
            "/v2/stocks/snapshots": lambda: _of_symbols(world.snapshots, asked),
            "/v2/stocks/bars": lambda: _bars(world, asked),
            "/v1/corporate-actions": lambda: {"corporate_actions": _actions(world, asked), "next_page_token": None},
        }
        if method == "GET" and path in routes:
            return 200, routes[path]()
        return 404, {"code": 40410000, "message": "endpoint not found"}

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if not await self._entered(receive, send, data=scope["path"] != "/stream"):
            await send({"type": "websocket.close", "code": 1000})
            return
        line: asyncio.Queue[Any] = asyncio.Queue()
        self.lines.add(line)
        self.listening.set()
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await self._pass_on(line, gone, send)
        finally:
            self.lines.discard(line)
            gone.cancel()

    async def _pass_on(self, line: asyncio.Queue[Any], gone: asyncio.Future[None], send: Send) -> None:
        while True:
            next_message = asyncio.ensure_future(line.get())
            await asyncio.wait({next_message, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not next_message.done():
                next_message.cancel()
                return
            message = next_message.result()
            if message is None:
                await send({"type": "websocket.close", "code": 1001})
                return
            await self._say(send, message)

    async def _say(self, send: Send, message: Any) -> None:
        content = message if isinstance(message, str | bytes) else json.dumps(message)
        if self.binary and isinstance(content, str):
            content = content.encode("utf-8", "surrogatepass")
        kind = "bytes" if isinstance(content, bytes) else "text"
        await send({"type": "websocket.send", kind: content})

    async def _entered(self, receive: Receive, send: Send, *, data: bool) -> bool:
        """Let a client in as Alpaca does: the two kinds of stream differ in their words."""
        if data:
            await self._say(send, [{"T": "success", "msg": "connected"}])
        asked = json.loads(_content(await receive()))
        keys = asked.get("data", asked)
        shown = (keys.get("key_id", keys.get("key")), keys.get("secret_key", keys.get("secret")))
        known = shown == (self.world.key_id, self.world.secret_key)
        if data:
            no = {"T": "error", "code": 402, "msg": "auth failed"}
            await self._say(send, [{"T": "success", "msg": "authenticated"} if known else no])
        else:
            status = "authorized" if known else "unauthorized"
            answer = {"status": status, "action": "authenticate"}
            await self._say(send, {"stream": "authorization", "data": answer})
        if not known:
            return False
        wanted = json.loads(_content(await receive()))
        if data:
            chosen = {name: wanted.get(name, []) for name in ("trades", "quotes", "bars")}
            await self._say(send, [{"T": "subscription", **chosen}])
        else:
            await self._say(send, {"stream": "listening", "data": {"streams": wanted["data"]["streams"]}})
        return True


def _content(message: MutableMapping[str, Any]) -> Any:
    return message.get("text") or message.get("bytes") or "{}"


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _orders(world: World, asked: dict[str, str]) -> list[dict[str, Any]]:
    found = [order for order in world.orders.values() if order["status"] in OPEN_STATES or asked["status"] == "all"]
    found = [order for order in found if order["submitted_at"] > asked.get("after", "")]
    found.sort(key=lambda order: order["submitted_at"], reverse=asked.get("direction") != "asc")
    return found[: int(asked.get("limit", 50))]


def _activities(world: World, asked: dict[str, str]) -> list[dict[str, Any]]:
    return _page(world.activities, "transaction_time", asked)


def _movements(world: World, asked: dict[str, str]) -> list[dict[str, Any]]:
    if asked.get("category") != "non_trade_activity":
        raise RefusalError(422, 42210000, "the adapter asks for no other category")
    return _page(world.movements, "created_at", asked)


def _page(activities: list[dict[str, Any]], time: str, asked: dict[str, str]) -> list[dict[str, Any]]:
    found = [one for one in activities if str(one.get(time)) > asked.get("after", "")]
    found.sort(key=lambda one: str(one["id"]), reverse=asked.get("direction") != "asc")
    if token := asked.get("page_token"):
        ids = [one["id"] for one in found]
        found = found[ids.index(token) + 1 :] if token in ids else []
    return found[: int(asked.get("page_size", 100))]


def _of_symbols(known: dict[str, Any], asked: dict[str, str]) -> dict[str, Any]:
    return {symbol: known[symbol] for symbol in asked["symbols"].split(",") if symbol in known}


def _actions(world: World, asked: dict[str, str]) -> dict[str, Any]:
    kinds = {f"{kind}s" for kind in asked["types"].split(",")}
    return {kind: rows for kind, rows in world.actions.items() if kind in kinds}


def _bars(world: World, asked: dict[str, str]) -> dict[str, Any]:
    start = int(asked.get("page_token") or 0)
    limit = int(asked.get("limit") or 1000)
    found = {symbol: bars[start : start + limit] for symbol, bars in _of_symbols(world.bars, asked).items()}
    more = any(len(bars) > start + limit for bars in _of_symbols(world.bars, asked).values())
    return {"bars": found, "next_page_token": str(start + limit) if more else None}
