"""Ticks that a quote asks for, beside those of the clock."""

from __future__ import annotations

from collections.abc import Iterable

from trading import tasks
from trading.services.wake_claims import wakes_claim
from volbal.common.starting import task_start
from volbal.common.tenancy import every_tenant


def quotes_wake(*, instrument_ids: Iterable[int], source: str) -> int:
    """Wake the portfolios that trade on new quotes of a source, after they are stored; return how many ticks it asked.

    At most one tick waits in a portfolio, and no more than `TICKS_PER_SECOND_ON_QUOTES` are taken on quotes.
    """
    with every_tenant():
        wakes = wakes_claim(instrument_ids=instrument_ids, source=source)
    for wake in wakes:
        task_start(tasks.tick_woken, wake.tenant_id, wake.portfolio_id, countdown=wake.delay_seconds)
    return len(wakes)
