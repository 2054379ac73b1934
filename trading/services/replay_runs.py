"""Passing many steps of a replay at once, in this process, through the same live path."""

from __future__ import annotations

from collections.abc import Callable

from trading.models import ReplayRun
from trading.services.orders import orders_send
from trading.services.replays import replay_close, replay_step
from volbal.common import clock


def replay_run_steps(*, run: ReplayRun, steps: int, progress: Callable[[int], None] | None = None) -> int:
    """Take up to `steps` steps, each with its orders sent and filled, and return how many were taken.

    `progress` is called with the number done. The run's pace then counts from here.
    """
    done = 0
    while done < steps:
        outcome = replay_step(run_id=run.pk, only_if_due=False)
        if outcome is None:
            break
        if outcome.order_count:
            orders_send(account_id=outcome.account_id)
        replay_close(run_id=run.pk)
        done += 1
        if progress is not None:
            progress(done)
    ReplayRun.objects.filter(pk=run.pk).update(paced_from=clock.now())
    run.refresh_from_db()
    ReplayRun.objects.filter(pk=run.pk).update(paced_position=run.position)
    return done
