"""Progress of long work on standard error, where a person looks on or has waited."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

SHOW_AFTER_SECONDS = 1.0
EVERY_SECONDS_ON_TERMINAL = 0.2
EVERY_SECONDS_ELSEWHERE = 10.0
COMPILING = "Getting ready: the first run after a change compiles the rule; later ones start at once."


class Progress:
    """Tell how much of `what` is done and how long it will still take, inside a `with` block.

    On a terminal one line is rewritten from the start; elsewhere lines follow each other, the first after a second.
    Where nothing has been reported by then, the rule may be being compiled, which is said.
    """

    def __init__(self, what: str, stream: TextIO | None = None, *, show_after: float = SHOW_AFTER_SECONDS) -> None:
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._next = time.monotonic() + (0.0 if self._terminal else show_after)
        self._first: tuple[float, int] | None = None
        self._silence = threading.Timer(show_after, self._write, [COMPILING])
        self._silence.daemon = True

    def __enter__(self) -> Self:
        self._silence.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._silence.cancel()
        self._silence.join()
        if self._terminal:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def __call__(self, done: int, total: int) -> None:
        """Show `done` of `total`, unless the last time was a moment ago."""
        self._silence.cancel()
        now = time.monotonic()
        if self._first is None:
            self._first = now, done
        if now < self._next:
            return
        self._next = now + (EVERY_SECONDS_ON_TERMINAL if self._terminal else EVERY_SECONDS_ELSEWHERE)
        self._write(f"{done:,} of {total:,} {self._what} · {100 * done / total:.0f} %{self._left(now, done, total)}")

    def _left(self, now: float, done: int, total: int) -> str:
        """Return the time left by the pace since the first report: what came before it includes compilation."""
        if self._first is None or done == self._first[1] or done == total:
            return ""
        seconds = (now - self._first[0]) * (total - done) / (done - self._first[1])
        return f" · {duration(seconds)} left"

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line}\033[K" if self._terminal else f"{line}\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
