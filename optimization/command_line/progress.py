"""Progress of long work on standard error, where a person looks on or has waited."""

from __future__ import annotations

import sys
import time
from typing import TextIO

SHOW_AFTER_SECONDS = 1.0
EVERY_SECONDS_ON_TERMINAL = 0.2
EVERY_SECONDS_ELSEWHERE = 10.0


class Progress:
    """Tell how much of `what` is done and how long it will still take.

    On a terminal one line is rewritten from the start; elsewhere lines follow each other, the first after a second.
    """

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._started = time.monotonic()
        self._next = self._started + (0.0 if self._terminal else SHOW_AFTER_SECONDS)
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        """Show `done` of `total`, unless the last time was a moment ago."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (EVERY_SECONDS_ON_TERMINAL if self._terminal else EVERY_SECONDS_ELSEWHERE)
        self._shown = True
        left = (now - self._started) * (total - done) / done if done > 0 else None
        line = f"{done:,} of {total:,} {self._what} · {100 * done / total:.0f} %"
        line += "" if left is None else f" · {_duration(left)} left"
        self._stream.write(f"\r{line}\033[K" if self._terminal else f"{line}\n")
        self._stream.flush()

    def finish(self) -> None:
        """Take the line away from a terminal."""
        if self._terminal and self._shown:
            self._stream.write("\r\033[K")
            self._stream.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
