"""Whether a price is believed, from what is remembered of its source (strategy 9). Pure: no database, no clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from trading.services.price_limits import PriceLimits

REGULAR, EXTENDED, CLOSED = range(3)
RETURNS = 390
# Fewer returns say nothing about how far a price moves in a minute: then quarantine alone judges.
FEWEST_RETURNS = 30
AGREEING = 3

# Minute (since 1970), session (see `session_code`) and the last price accepted in it.
MINUTES = np.dtype([("minute", "<i4"), ("session", "<i4"), ("price", "<f8")])


class Verdict(StrEnum):
    """What becomes of a price."""

    ACCEPTED = "accepted"
    OUTLIER = "outlier"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one source's prices of an instrument.

    `accepted` is the last price believed, in `session`; `sigma` the standard deviation of its one-minute returns in
    these session hours; `pending` the minute prices of a stretch that is not believed yet, with the minute of the last.
    """

    accepted: Decimal | None = None
    session: int | None = None
    sigma: float | None = None
    pending: tuple[Decimal, ...] = ()
    pending_minute: int | None = None


def session_code(day: int, hours: int) -> int:
    """Return one number for a day (days since 1970) and the hours in it: regular, extended or closed."""
    return day * 3 + hours


def hours_of(session: int) -> int:
    """Return the hours of a session code."""
    return session % 3


def is_far(price: Decimal, accepted: Decimal | None, ratio: float) -> bool:
    """Return whether a price is more than `ratio` from the last accepted one; never where there is none."""
    return accepted is not None and abs(price - accepted) > Decimal(str(ratio)) * accepted


def judge(
    price: Decimal, *, minute: int, session: int, memory: Memory, base: Decimal | None, limits: PriceLimits
) -> tuple[Verdict, Memory]:
    """Return what becomes of a price, and what is remembered then (strategy 9).

    `base` is the last accepted price after the day's known splits and dividends. The first price of a session is
    judged by quarantine alone.
    """
    if is_far(price, base, limits.quarantine_ratio):
        return Verdict.QUARANTINED, memory
    if not _is_outlier(price, session, memory, limits):
        return Verdict.ACCEPTED, believed(price, session, memory)
    stretch = _stretched(price, minute, memory, limits)
    if len(stretch.pending) >= AGREEING:
        return Verdict.ACCEPTED, believed(price, session, memory)
    return Verdict.OUTLIER, stretch


def deviation(history: NDArray[np.void], hours: int) -> float | None:
    """Return the standard deviation of the last one-minute returns in some session hours.

    A return is taken between minutes that follow each other in one session. None with fewer than 30 of them, and
    where the price never moved: neither says how far it may.
    """
    if len(history) < 2:
        return None
    same = (history["session"][1:] == history["session"][:-1]) & (history["session"][1:] % 3 == hours)
    steps = same & (np.diff(history["minute"]) == 1)
    returns = (history["price"][1:] / history["price"][:-1] - 1.0)[steps][-RETURNS:]
    if len(returns) < FEWEST_RETURNS:
        return None
    found = float(np.std(returns, ddof=1))
    return found if found > 0.0 and math.isfinite(found) else None


def remembered(history: NDArray[np.void], minute: int, session: int, price: float) -> NDArray[np.void]:
    """Return the history with one more minute, no longer than the returns of each hours need."""
    longer = np.append(history, np.array([(minute, session, price)], dtype=MINUTES))
    hours = longer["session"] % 3
    kept = np.zeros(len(longer), dtype=np.bool_)
    for kind in (REGULAR, EXTENDED):
        kept[np.flatnonzero(hours == kind)[-(RETURNS + 1) :]] = True
    return longer[kept]


def _is_outlier(price: Decimal, session: int, memory: Memory, limits: PriceLimits) -> bool:
    if memory.accepted is None or memory.sigma is None or session != memory.session or hours_of(session) == CLOSED:
        return False
    return abs(float(price - memory.accepted)) > limits.outlier_sigma * memory.sigma * float(memory.accepted)


def believed(price: Decimal, session: int, memory: Memory) -> Memory:
    """Return what is remembered once a price is accepted."""
    return Memory(price, session, memory.sigma)


def _stretched(price: Decimal, minute: int, memory: Memory, limits: PriceLimits) -> Memory:
    """Add a price to the stretch that is not believed yet; one that disagrees with it begins a new one."""
    before = memory.pending[:-1] if memory.pending_minute == minute else memory.pending
    together = (*before, price)
    agree = max(together) - min(together) <= Decimal(str(limits.agreement_ratio)) * min(together)
    return replace(memory, pending=together if agree else (price,), pending_minute=minute)
