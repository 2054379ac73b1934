"""A tick by hand, from a page or the console: the same path as the dispatcher's."""

from __future__ import annotations

from portfolios.models import Portfolio
from trading import tasks
from trading.feeds.registry import REPLAY
from trading.models import ReplayRun
from trading.services.replays import replay_step
from volbal.common.errors import Refused
from volbal.common.starting import task_start


def tick_now(*, portfolio: Portfolio) -> None:
    """Have a portfolio looked at now; a replay takes its next step.

    Raises Refused for an archived portfolio and for a replay that cannot step now.
    """
    if portfolio.is_archived:
        raise Refused(f"{portfolio.name} is archived: nothing ticks in it any more.", code="archived")
    if portfolio.feed != REPLAY:
        task_start(tasks.tick_portfolio, portfolio.tenant_id, portfolio.pk)
        return
    run = ReplayRun.objects.get(portfolio=portfolio)
    outcome = replay_step(run_id=run.pk, only_if_due=False)
    if outcome is None:
        raise Refused(
            "No step was taken: the replay is over, or an order of the last step is still open.",
            code="no_step",
            hint="Start it again, or wait for the order.",
        )
    run.refresh_from_db()
    tasks.replay_follow_up(run.tenant_id, run, outcome)
