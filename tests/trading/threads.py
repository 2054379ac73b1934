"""Threads that start together, each with a connection of its own, and one that waits until another is held up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from volbal.common.tenancy import tenant_scope

WAIT_SECONDS = 20
HELD_UP = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


def together(tenant_id: int, *calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same moment, each in a thread with a connection of its own; return what they returned."""
    barrier = threading.Barrier(len(calls), timeout=WAIT_SECONDS)

    def one(call: Callable[[], Any]) -> Any:
        try:
            with tenant_scope(tenant_id):
                connection.ensure_connection()
                with connection.cursor() as cursor:
                    cursor.execute(f"SET lock_timeout = '{WAIT_SECONDS}s'")
                barrier.wait()
                return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(one, call) for call in calls]
        return [future.result(timeout=2 * WAIT_SECONDS) for future in running]


def wait_until_held_up() -> None:
    """Return once another connection waits for a row that this one holds. Raises AssertionError where none does."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(HELD_UP)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")
