"""How fast a replay goes: at its pace, making up for a slow moment, never for a night without a server."""

import datetime as dt

import pytest
import time_machine

from portfolios.services import Origin
from tests.trading.builders import Desk, make_replay, make_series
from trading.models import ReplayRun
from trading.services.replays import CATCH_UP_SECONDS, replay_start
from trading.tasks import dispatch_due

START = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
STEPS = 7


@pytest.fixture
def run(desk: Desk) -> ReplayRun:
    """A running replay whose prices never cross a trigger."""
    made = make_replay(desk.account, make_series([100.0] * STEPS))
    with time_machine.travel(START, tick=False):
        replay_start(run=made, origin=Origin(task="test"))
    return made


def _position_after(run: ReplayRun, seconds: float) -> int:
    with time_machine.travel(START + dt.timedelta(seconds=seconds), tick=False):
        dispatch_due()
    run.refresh_from_db()
    return run.position


def test_it_takes_a_step_a_second(run: ReplayRun) -> None:
    assert [_position_after(run, seconds) for seconds in (0.5, 1, 1.5, 2, 3)] == [0, 1, 1, 2, 3]


def test_it_makes_up_for_a_slow_moment(run: ReplayRun) -> None:
    assert _position_after(run, CATCH_UP_SECONDS) == CATCH_UP_SECONDS


def test_after_a_night_without_a_server_it_goes_on_from_where_it_was(run: ReplayRun) -> None:
    _position_after(run, 2)
    night = 8 * 3600
    assert _position_after(run, night) == 3
    assert _position_after(run, night + 1) == 4
