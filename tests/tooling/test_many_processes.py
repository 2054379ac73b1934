"""The same code in many processes: the commands of deploy/systemd on a real PostgreSQL and Redis."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis
from django.conf import settings
from psycopg import sql

from tests import services
from tests.tooling.units import ROOT, command, served_queues
from volbal.common.redis_layer import RedisLayer

pytestmark = pytest.mark.services
WITHIN_SECONDS = 60
POLL_SECONDS = 0.2
SILENCE_SECONDS = 6.0
HANDSHAKE = (
    b"GET /ws/portfolio/1/ HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
# A closing frame of two bytes: the code 4403.
CLOSED_AS_FORBIDDEN = b"\x88\x02" + (4403).to_bytes(2)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the pages and sockets of a running installation answer, and its database."""

    pages: str
    sockets: str
    database: str


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A database of this run's own."""
    server = services.postgresql().address
    name = sql.Identifier(f"volbal_processes_{os.getpid()}")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    before, mark, options = server.partition("?")
    yield f"{before.rpartition('/')[0]}/volbal_processes_{os.getpid()}{mark}{options}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A numbered database of Redis that nobody else uses in this run, emptied afterwards."""
    address = f"{services.redis_server().address.rpartition('/')[0]}/{1 + os.getpid() % 14}"
    yield address
    with redis.Redis.from_url(address) as client:
        client.flushdb()


@pytest.fixture(scope="module")
def cluster(database: str, broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Every process that the target starts, with the demonstration in its database."""
    logs = tmp_path_factory.mktemp("processes")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DJANGO_SETTINGS_MODULE": "volbal.settings.development",
        "DATABASE_URL": database,
        "REDIS_URL": broker,
        "VOLBAL_DATA_DIR": str(logs),
        "SECRET_KEY": "only-for-this-test",
        "CREDENTIALS_KEYS": "b25seS1mb3ItdGVzdHMtb25seS1mb3ItdGVzdHMtLTA=",
    }
    for prepare in (["migrate", "--verbosity", "0"], ["demo"]):
        subprocess.run(
            [sys.executable, "manage.py", *prepare], cwd=ROOT, env=environment, check=True, capture_output=True
        )
    pages, sockets = _free_port(), _free_port()
    commands = [
        _with(command("volbal-web.service"), "--bind", f"127.0.0.1:{pages}"),
        _with(command("volbal-sockets.service"), "--port", sockets),
        command("volbal-scheduler.service"),
        command("volbal-streams.service"),
        *(command("volbal-worker@.service", queue) for queue in sorted(served_queues())),
    ]
    with (logs / "output.txt").open("w") as output:
        processes = [
            subprocess.Popen(one, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
            for one in commands
        ]
        yield Cluster(f"http://127.0.0.1:{pages}", f"127.0.0.1:{sockets}", database)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in processes]
    # uvicorn ends by the signal it was sent, after closing down.
    assert set(codes) <= {0, -signal.SIGTERM}
    assert "Traceback" not in (logs / "output.txt").read_text()


def _with(words: list[str], option: str, value: str) -> list[str]:
    """Return the command with the value of one option changed."""
    place = words.index(option) + 1
    return [*words[:place], value, *words[place + 1 :]]


def _eventually(holds: Callable[[], bool]) -> bool:
    """Ask until it holds or the time is over."""
    ends = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(POLL_SECONDS)
    return False


def _status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  # our own process
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_pages_answer_over_wsgi(cluster: Cluster) -> None:
    assert _eventually(lambda: _status(f"{cluster.pages}/admin/login/") == 200)


def test_sockets_of_people_not_signed_in_are_closed_as_forbidden(cluster: Cluster) -> None:
    assert _eventually(lambda: _socket_answer(cluster.sockets).endswith(CLOSED_AS_FORBIDDEN))


def _socket_answer(address: str) -> bytes:
    """Ask for a socket as a browser does and return everything sent until it is closed."""
    host, _, port = address.partition(":")
    received = b""
    try:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(HANDSHAKE)
            while not received.endswith(CLOSED_AS_FORBIDDEN) and (more := connection.recv(1024)):
                received += more
    except OSError:
        return received
    return received


@pytest.mark.asyncio
async def test_a_socket_without_news_outlives_the_wait_for_a_message(broker: str) -> None:
    layer = RedisLayer(hosts=[{**settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0], "address": broker}])
    channel = await layer.new_channel()
    waiting = asyncio.create_task(layer.receive(channel))
    # Longer than the layer waits at a time, and than Redis' client waits for an answer by default.
    await asyncio.wait([waiting], timeout=SILENCE_SECONDS)
    await layer.send(channel, {"type": "push", "text": "news"})
    assert (await waiting)["text"] == "news"
    await layer.flush()


def test_the_scheduler_and_the_workers_advance_the_replay_and_trade(cluster: Cluster) -> None:
    def figures() -> tuple[int, int]:
        with psycopg.connect(cluster.database) as connection:
            row = connection.execute(
                "SELECT (SELECT sum(position) FROM trading_replayrun), (SELECT count(*) FROM trading_fill)"
            ).fetchone()
        assert row is not None
        return row[0], row[1]

    steps, fills = figures()
    assert _eventually(lambda: figures()[0] > steps + 3)
    assert _eventually(lambda: figures()[1] > fills)
