"""One at a time: what a second process leaves alone while a first is at it."""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

_held: set[tuple[str, int]] = set()
_guard = threading.Lock()


@contextmanager
def only_one(kind: str, key: int) -> Iterator[bool]:
    """Hold `kind` of `key` for the block without waiting; yield False where someone else holds it.

    On PostgreSQL it is an advisory lock of the session, across all processes and gone with a killed one; within a
    process, and on SQLite where one process does the work, a set of what is held. Use it outside transactions.
    """
    with _in_process(kind, key) as is_first:
        if not is_first or connection.vendor != "postgresql":
            yield is_first
            return
        lock = (_number_of(kind), key)
        is_ours = _ask("SELECT pg_try_advisory_lock(%s, %s)", lock)
        try:
            yield is_ours
        finally:
            if is_ours:
                _release(lock)


@contextmanager
def _in_process(kind: str, key: int) -> Iterator[bool]:
    with _guard:
        is_first = (kind, key) not in _held
        _held.add((kind, key))
    try:
        yield is_first
    finally:
        if is_first:
            with _guard:
                _held.discard((kind, key))


def _number_of(kind: str) -> int:
    """Return a signed 32-bit number that is the same for the same kind in every process."""
    return zlib.crc32(kind.encode()) - 2**31


def _ask(statement: str, lock: tuple[int, int]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, lock)
        return bool(cursor.fetchone()[0])


def _release(lock: tuple[int, int]) -> None:
    try:
        _ask("SELECT pg_advisory_unlock(%s, %s)", lock)
    except DatabaseError as broken:
        # The lock belongs to the session: one that was lost has given it back, and any other must not keep it.
        logger.warning("closing the connection that held a lock: %s", broken)
        connection.close()
