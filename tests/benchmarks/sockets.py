"""1,000 sockets that watch a portfolio of 100 cells: from quotes in hand to the newest price on every one of them."""

import asyncio
import gzip
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

from tests.benchmarks import world

CELLS = 100
SOCKETS = 1_000
ROUNDS = 8
SECONDS_BETWEEN = 1.5
SECONDS_TO_COME = 20.0
OPENING_AT_ONCE = 50
START_SECONDS = 30.0
# As in deploy/systemd/volbal-sockets.service.
UVICORN = [
    "-m", "uvicorn", "volbal.asgi:application", "--lifespan", "off", "--no-access-log", "--log-level", "warning",
    "--ws-per-message-deflate", "false",
]  # fmt: skip


def rows():
    """Yield the percentiles over every socket and round; the server is a process of its own, as in production."""
    with world.database(workers=True) as why_not:
        if why_not:
            yield world.absent(f"newest price on {SOCKETS:,} sockets watching {CELLS} cells", why_not)
            return
        from volbal.common.tenancy import every_tenant

        with every_tenant():
            world.warm()
            portfolio, instruments = world.desk(
                CELLS, "sockets", broker="door", feed="bench", exchange=world.ALWAYS_OPEN
            )
            key = session_key(portfolio)
            with server() as port:
                told, arrived = asyncio.run(watched(port, portfolio, instruments, key))
        yield from percentile_rows(told, arrived)


def percentile_rows(told, arrived):
    """Yield a row for each percentile, beside how long it took to tell the portfolio's watchers at all."""
    import numpy as np

    reference = float(np.median(told))
    for percentile in (50, 95, 99):
        figure = float(np.percentile(arrived, percentile))
        yield {
            "what": f"quotes in → newest price on {SOCKETS:,} sockets, {CELLS} cells, p{percentile}",
            "figure_ms": figure,
            "reference": "the tick and its message sent (median)",
            "reference_ms": reference,
            "ratio": figure / reference,
            "same_results": None,
            "samples": len(arrived),
        }


async def watched(port, portfolio, instruments, key):
    """Return, in milliseconds, how long each round took to be told and when it was on each socket."""
    sockets = await opened(port, portfolio, key)
    told, arrived = [], []
    for number in range(ROUNDS + 1):
        price = world.HELD if number % 2 else world.HELD + 1
        waiting = [asyncio.create_task(newest(one)) for one in sockets]
        await asyncio.sleep(0)
        started = time.perf_counter()
        sent = await asyncio.to_thread(tell, portfolio, instruments, price)
        came = await asyncio.wait_for(asyncio.gather(*waiting), SECONDS_TO_COME)
        if not all(str(price).encode() in gzip.decompress(message) for message in {message for message, _ in came}):
            raise RuntimeError(f"a socket was told another price than {price}")
        if number:  # the first warms what both ends load
            told.append((sent - started) * 1e3)
            arrived += [(moment - started) * 1e3 for _, moment in came]
        await asyncio.sleep(max(0.0, SECONDS_BETWEEN - (time.perf_counter() - started)))
    for one in sockets:
        one.transport.abort()
    return told, arrived


def tell(portfolio, instruments, price):
    """Tick a portfolio on quotes of one price, tell who watches it, and return when that was done."""
    import datetime as dt

    from django.db import connection

    from trading.services.live import portfolio_publish
    from trading.services.ticks import tick_run
    from volbal.common.tenancy import tenant_scope

    moment = dt.datetime.now(dt.UTC)
    try:
        with tenant_scope(portfolio.tenant_id):
            quotes = world.quotes_at(instruments, moment, last=price)
            if tick_run(portfolio_id=portfolio.pk, as_of=moment, quotes=quotes) is None:
                raise RuntimeError("the tick was not taken")
            portfolio_publish(portfolio_id=portfolio.pk, kind="tick")
        return time.perf_counter()
    finally:
        connection.close()


async def newest(one):
    """Return the next message of a socket and when it came; a browser unpacks it on a machine of its own."""
    message = await one.recv(decode=False)
    return message, time.perf_counter()


async def opened(port, portfolio, key):
    """Return sockets that watch a portfolio, opened some at a time."""
    from websockets.asyncio.client import connect

    address = f"ws://127.0.0.1:{port}/ws/portfolio/{portfolio.pk}/"
    headers = {"Cookie": f"sessionid={key}", "Origin": f"http://127.0.0.1:{port}"}
    turn = asyncio.Semaphore(OPENING_AT_ONCE)

    async def one():
        async with turn:
            return await connect(
                address, additional_headers=headers, ping_interval=None, open_timeout=SECONDS_TO_COME, compression=None
            )

    sockets = await asyncio.gather(*(one() for _ in range(SOCKETS)))
    # Accepted is not yet in the group: that follows once the person's right to it is known.
    await asyncio.sleep(SECONDS_BETWEEN)
    return sockets


def session_key(portfolio):
    """Return the key of a session in which a member of the portfolio's tenant has signed in."""
    from django.conf import settings
    from django.test import Client

    from portfolios.models import Membership, User

    user = User.objects.create_user("watcher@example.com", "watches prices 1")
    Membership.objects.create(tenant_id=portfolio.tenant_id, user=user, role=Membership.Role.TRADER)
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@contextmanager
def server():
    """Serve the sockets from a process of their own, as `volbal-sockets` does, and yield its port."""
    from django.db import connection

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = os.environ["DATABASE_URL"].partition("?")
    address = f"{before[0].rpartition('/')[0]}/{connection.settings_dict['NAME']}{before[1]}{before[2]}"
    process = subprocess.Popen(
        [sys.executable, *UVICORN, "--port", str(port)],
        env={**os.environ, "DATABASE_URL": address},
    )
    try:
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)
