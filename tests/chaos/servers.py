"""PostgreSQL and Redis of a run's own: on ports of their own, in a folder that goes with the run."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

READY_SECONDS = 30
DEBIAN = Path("/usr/lib/postgresql")


class MissingError(Exception):
    """A program that the run needs is not installed."""


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_true(condition: Callable[[], bool], what: str, within_seconds: float = READY_SECONDS) -> None:
    """Return once `condition` holds. Raises TimeoutError naming what was waited for."""
    ends = time.monotonic() + within_seconds
    while time.monotonic() < ends:
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError(f"{what} did not happen within {within_seconds:.0f} s")


def _program(name: str) -> str:
    newest_first = sorted(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: -int(path.parts[-3]))
    found = shutil.which(name) or next((str(path) for path in newest_first), None)
    if found is None:
        raise MissingError(f"{name} is not installed (on Debian: apt-get install postgresql redis-server)")
    return found


@dataclass(slots=True)
class PostgreSQL:
    """A server in `folder`; started anew it recovers what was committed. It refuses to run as root."""

    folder: Path
    port: int

    @classmethod
    def start(cls, folder: Path) -> "PostgreSQL":
        """Make a cluster and start it."""
        server = cls(folder / "postgresql", free_port())
        server.folder.mkdir(parents=True)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(server.folder, owner.pw_uid, owner.pw_gid)
        server._run(_program("initdb"), "-D", str(server.folder), "-U", "volbal", "--auth=trust", "--encoding=UTF8")
        server._control("start")
        return server

    @property
    def address(self) -> str:
        """Return what DATABASE_URL takes."""
        return f"postgresql://volbal@127.0.0.1:{self.port}/postgres"

    def restart(self, mode: str) -> None:
        """Restart it: `fast` rolls back what runs, `immediate` is a crash it has to recover from."""
        self._control("restart", "-m", mode)

    def stop(self) -> None:
        """Stop it for good."""
        self._control("stop", "-m", "immediate")

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            with psycopg.connect(self.address, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def _control(self, *words: str) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200"
        log = ["-l", str(self.folder / "server.log"), "-o", options]
        self._run(_program("pg_ctl"), "-w", "-D", str(self.folder), *(log if words[0] != "stop" else []), *words)
        if words[0] != "stop":
            await_true(self.answers, "PostgreSQL answering")

    def _run(self, *words: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        done = subprocess.run([*user, *words], capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"{Path(words[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")


@dataclass(slots=True)
class Redis:
    """A server that keeps nothing: restarted it has forgotten every message."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path) -> "Redis":
        """Start it."""
        server = cls(folder, free_port())
        server._launch()
        return server

    @property
    def address(self) -> str:
        """Return what REDIS_URL takes."""
        return f"redis://127.0.0.1:{self.port}/0"

    def restart(self) -> None:
        """Kill it and start it anew, empty."""
        self.stop()
        self._launch()

    def stop(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def answers(self) -> bool:
        """Tell whether it answers a ping."""
        try:
            with redis.Redis.from_url(self.address, socket_connect_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _launch(self) -> None:
        words = [_program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(
            [*words, "--appendonly", "no", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await_true(self.answers, "Redis answering")
