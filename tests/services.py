"""Find PostgreSQL, Redis and Chromium: addresses from the environment, else where they stand by default."""

import getpass
import os
import shutil
from dataclasses import dataclass

import psycopg
import redis

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SOCKETS = ("/var/run/postgresql", "/tmp")  # noqa: S108  # where PostgreSQL puts its socket by default
REDIS_DEFAULT = "redis://127.0.0.1:6379/0"
TIMEOUT_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Found:
    """An address that answers, or why there is none."""

    address: str = ""
    why_not: str = ""


def _postgresql_candidates() -> list[str]:
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given:
        return [given]
    local = "127.0.0.1:5432/postgres"
    people = dict.fromkeys(["postgres", getpass.getuser()])
    sockets = [f"postgresql://{name}@/postgres?host={path}" for name in people for path in SOCKETS]
    return [f"postgresql://postgres@{local}", f"postgresql://postgres:postgres@{local}", *sockets]


def postgresql() -> Found:
    """Return the first server that lets us create a database."""
    refusals = []
    for address in _postgresql_candidates():
        try:
            with psycopg.connect(address, connect_timeout=TIMEOUT_SECONDS) as connection:
                row = connection.execute(
                    "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
                ).fetchone()
        except psycopg.Error as error:
            refusals.append(str(error).strip().splitlines()[-1])
            continue
        if row is not None and row[0]:
            return Found(address)
        refusals.append("the role may not create databases")
    return Found(why_not=f"PostgreSQL does not answer ({refusals[0]})")


def redis_server() -> Found:
    """Return Redis where it answers a ping."""
    address = os.environ.get("TEST_REDIS_URL") or REDIS_DEFAULT
    try:
        with redis.Redis.from_url(address, socket_connect_timeout=TIMEOUT_SECONDS) as client:
            client.ping()
    except redis.RedisError as error:
        return Found(why_not=f"Redis does not answer ({error})")
    return Found(address)


def chromium() -> Found:
    """Return the path of an installed browser; none is ever downloaded."""
    named = os.environ.get("CHROMIUM", "")
    for name in (named, *BROWSERS) if named else BROWSERS:
        path = shutil.which(name)
        if path is not None:
            return Found(path)
    return Found(why_not="Chromium is not installed (on Debian: apt-get install chromium)")
