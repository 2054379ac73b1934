"""How late a portfolio's tick is, as pages and the console say it."""

from __future__ import annotations

from dataclasses import dataclass

from portfolios.models import Portfolio
from trading.models import TickState
from trading.services.tick_states import last_sign, missed_after
from volbal.common import clock
from volbal.common.templatetags.figures import age


@dataclass(frozen=True, slots=True)
class TickLateness:
    """How long ago a portfolio was looked at, in seconds, whether its tick counts as missed, and what went wrong."""

    age_seconds: float
    is_missed: bool
    text: str


NOT_TICKING = TickLateness(0.0, False, "")


def tick_lateness(portfolio: Portfolio, state: TickState | None = None) -> TickLateness:
    """Return how late a portfolio is now, whether or not anybody noticed; load `tick_state` with it.

    An archived portfolio, a replay and one without a feed are never late.
    """
    if portfolio.is_archived or portfolio.mode == Portfolio.Mode.REPLAY or portfolio.next_tick_at is None:
        return NOT_TICKING
    known = getattr(portfolio, "tick_state", None) if state is None else state
    seconds = (clock.now() - last_sign(portfolio, known)).total_seconds()
    is_missed = abs(seconds) > missed_after(portfolio.tick_interval_seconds).total_seconds()
    error = "" if known is None else known.last_error
    if not is_missed and not error:
        return TickLateness(seconds, False, "")
    parts = [
        _missed(seconds, portfolio.tick_interval_seconds) if is_missed else "",
        f"the last tick failed: {error}" if error else "",
    ]
    return TickLateness(seconds, is_missed, "; ".join(filter(None, parts)))


def _missed(seconds: float, interval_seconds: int) -> str:
    if seconds < 0:
        return f"our clock is {age(-seconds)} behind the last tick: nothing is looked at until it is past it"
    return f"not looked at for {age(seconds)}, due every {interval_seconds} s"
