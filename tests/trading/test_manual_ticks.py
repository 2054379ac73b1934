"""A tick by hand takes the same path as the dispatcher's."""

from __future__ import annotations

import pytest

from portfolios.services import portfolio_archive
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import Desk, make_replay, make_series
from trading.models import Evaluation, Fill, ReplayRun
from trading.services.manual_ticks import tick_now
from trading.services.replays import replay_start
from volbal.common.errors import Refused


@pytest.fixture
def run(desk: Desk) -> ReplayRun:
    return make_replay(desk.account, make_series([100, 104, 100]))


def test_a_paused_replay_takes_one_step_with_its_order(run: ReplayRun) -> None:
    tick_now(portfolio=run.portfolio)
    tick_now(portfolio=run.portfolio)
    run.refresh_from_db()
    assert (run.position, run.status) == (2, ReplayRun.Status.PAUSED)
    assert Evaluation.objects.count() == 2
    assert Fill.objects.get().price == 104


def test_a_replay_at_its_end_refuses_and_says_what_to_do(run: ReplayRun) -> None:
    for _ in range(run.step_count):
        tick_now(portfolio=run.portfolio)
    with pytest.raises(Refused, match=r"the replay is over.*Start it again"):
        tick_now(portfolio=run.portfolio)
    assert Evaluation.objects.count() == run.step_count


def test_a_running_replay_goes_on_at_its_pace_after_a_step(run: ReplayRun) -> None:
    replay_start(run=run, origin=BY_TEST)
    tick_now(portfolio=run.portfolio)
    run.refresh_from_db()
    assert (run.position, run.status) == (1, ReplayRun.Status.RUNNING)


def test_a_portfolio_of_the_present_is_looked_at_now(desk: Desk, cell: object) -> None:
    tick_now(portfolio=desk.portfolio)
    assert Evaluation.objects.get().source == "synthetic"


def test_an_archived_portfolio_refuses(desk: Desk, cell: object) -> None:
    portfolio_archive(portfolio=desk.portfolio, origin=BY_TEST)
    desk.portfolio.refresh_from_db()
    with pytest.raises(Refused, match="archived"):
        tick_now(portfolio=desk.portfolio)
    assert not Evaluation.objects.exists()
