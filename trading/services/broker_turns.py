"""Turns at brokers, so that a slow or dead one delays nobody else.

A process has more threads that send than processors, for they wait for networks. A broker that was slow or silent the
last time it was called is doubtful: of those only `DOUBTFUL_AT_ONCE` are called at a time, and the other threads stay
free for brokers that answer. A broker turns doubtful by one call, which its adapter bounds, and is called as usual
again once it answered in time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from trading.models import BrokerLine
from volbal.common import clock
from volbal.common.exclusive import only_one

# How many threads of a process may wait for brokers that kept someone waiting before; there are more that send
# (volbal.common.serving.workers, deploy/systemd).
DOUBTFUL_AT_ONCE = 4
# A turn that lasts longer makes its broker doubtful; one that lasts so long is broken off between two orders.
SLOW_SECONDS, LONGEST_TURN_SECONDS = 3.0, 10.0

_doubtful_slots = threading.BoundedSemaphore(DOUBTFUL_AT_ONCE)
# Turns, by kind and account, that were slow the last time in this process. Losing them costs one more slow turn each.
_slow: set[tuple[str, int]] = set()


class Turn(Enum):
    """Whether a broker may be called now: by us, by another who is at it, or by nobody for a while."""

    OURS = auto()
    TAKEN = auto()
    LATER = auto()


@contextmanager
def broker_turn(*, account_id: int, kind: str) -> Iterator[Turn]:
    """Hold the turn of `kind` at an account's broker for the block, without waiting for it.

    LATER means that the broker is left alone: its pause is not over, or it is doubtful and as many doubtful ones as
    may be are being called.
    """
    line = BrokerLine.objects.filter(account=account_id).values_list("failed_in_a_row", "next_attempt_at").first()
    failed, pause_ends = line if line is not None else (0, None)
    if pause_ends is not None and pause_ends > clock.now():
        yield Turn.LATER
        return
    is_doubtful = failed > 0 or (kind, account_id) in _slow
    with only_one(kind, account_id) as is_ours, _slot(is_ours and is_doubtful) as is_free:
        if not is_ours:
            yield Turn.TAKEN
        elif not is_free:
            yield Turn.LATER
        else:
            began = time.monotonic()
            try:
                yield Turn.OURS
            finally:
                _note((kind, account_id), time.monotonic() - began)


@contextmanager
def _slot(is_wanted: bool) -> Iterator[bool]:
    """Hold one of the places of doubtful brokers where one is wanted; yield False where none is free."""
    if not is_wanted:
        yield True
        return
    is_free = _doubtful_slots.acquire(blocking=False)
    try:
        yield is_free
    finally:
        if is_free:
            _doubtful_slots.release()


def _note(turn: tuple[str, int], seconds: float) -> None:
    if seconds > SLOW_SECONDS:
        _slow.add(turn)
    else:
        _slow.discard(turn)
