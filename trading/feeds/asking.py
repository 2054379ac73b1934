"""Asking a feed without waiting for ever: one that hangs costs a tick a few seconds once, and then nothing."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from portfolios.models import Instrument
from trading.feeds.base import Feed, FeedUnreachableError, PriceQuote
from volbal.common import clock

TIMEOUT_SECONDS = 5.0


@dataclass(slots=True)
class _Question:
    """One question to a remote feed, asked in a thread of its own."""

    feed: Feed
    instruments: Sequence[Instrument]
    moment: dt.datetime
    answered: threading.Event = field(default_factory=threading.Event)
    quotes: list[PriceQuote] = field(default_factory=list)
    failure: Exception | None = None

    def ask(self) -> None:
        try:
            self.quotes = self.feed.quotes(self.instruments, self.moment)
        except Exception as error:  # noqa: BLE001  # whatever a library raises is told where it was asked
            self.failure = error
        finally:
            self.answered.set()


# By source: the question that got no answer in time. While it hangs nobody else is made to wait for that source.
_hanging: dict[str, _Question] = {}
_guard = threading.Lock()


def ask(
    feed: Feed, instruments: Sequence[Instrument], moment: dt.datetime, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> list[PriceQuote]:
    """Return what a feed answers within the deadline.

    A feed of this installation itself is asked directly. Raises FeedUnreachableError without an answer in time, and
    what the feed raises.
    """
    if not feed.is_remote:
        return feed.quotes(instruments, moment)
    with _guard:
        hanging = _hanging.get(feed.source)
        if hanging is not None and not hanging.answered.is_set():
            asked = (clock.now() - hanging.moment).total_seconds()
            raise FeedUnreachableError(f"no answer since it was asked {asked:.0f} s ago")
        _hanging.pop(feed.source, None)
    question = _Question(feed, instruments, moment)
    threading.Thread(target=question.ask, name=f"feed {feed.source}", daemon=True).start()
    if not question.answered.wait(timeout_seconds):
        with _guard:
            _hanging[feed.source] = question
        raise FeedUnreachableError(f"no answer within {timeout_seconds:g} s")
    if question.failure is not None:
        raise question.failure
    return question.quotes
