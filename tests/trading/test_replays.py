"""Replays: their pace, their controls, and that each has a portfolio and a time of its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
import time_machine

from portfolios.models import Cell, Portfolio
from portfolios.selectors import reconcile
from portfolios.services import Origin, portfolio_archive
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import SESSIONS, Desk, make_desk, make_replay, make_series, plan
from trading.models import Evaluation, Fill, Order, ReplayRun, Tick
from trading.services.dispatch import replays_due
from trading.services.replay_runs import replay_run_steps
from trading.services.replays import (
    CellPlan,
    replay_create,
    replay_pause,
    replay_set_speed,
    replay_start,
    replay_start_again,
    replay_step,
    steps_due,
)
from trading.tasks import advance_replay, dispatch_due, tick_portfolio
from volbal.common.errors import Refused
from volbal.common.tenancy import tenant_scope

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
CLOSES = [100, 101, 104, 104, 100, 100.5, 96.9, 100, 104, 100]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def run(desk: Desk) -> ReplayRun:
    return make_replay(desk.account, make_series(CLOSES))


def position(run: ReplayRun) -> int:
    return ReplayRun.objects.get(pk=run.pk).position


class TestPace:
    @pytest.mark.parametrize(
        "speed,seconds,due", [("1", 0.9, 0), ("1", 1, 1), ("1", 3.5, 3), ("0.1", 9, 0), ("0.1", 10, 1), ("50", 0.1, 5)]
    )
    def test_a_running_replay_is_due_by_the_wall_clock(
        self, run: ReplayRun, speed: str, seconds: float, due: int
    ) -> None:
        replay_set_speed(run=run, steps_per_second=Decimal(speed), origin=BY_TEST)
        replay_start(run=run, origin=BY_TEST)
        assert steps_due(run, NOW + dt.timedelta(seconds=seconds)) == due

    def test_the_dispatcher_catches_up_and_stops_at_the_pace(
        self, run: ReplayRun, clock: time_machine.Traveller
    ) -> None:
        replay_start(run=run, origin=BY_TEST)
        dispatch_due()
        assert position(run) == 0
        clock.shift(4)
        dispatch_due()
        assert position(run) == 4
        dispatch_due()
        assert position(run) == 4

    def test_a_paused_replay_is_not_due_and_goes_on_from_where_it_was(
        self, run: ReplayRun, clock: time_machine.Traveller
    ) -> None:
        replay_start(run=run, origin=BY_TEST)
        clock.shift(2)
        dispatch_due()
        replay_pause(run=run, origin=BY_TEST)
        clock.shift(3600)
        dispatch_due()
        advance_replay(run.tenant_id, run.pk)
        assert position(run) == 2
        replay_start(run=run, origin=BY_TEST)
        dispatch_due()
        assert position(run) == 2, "the time it was paused is not made up for"
        clock.shift(1)
        dispatch_due()
        assert position(run) == 3

    def test_another_speed_counts_from_here(self, run: ReplayRun, clock: time_machine.Traveller) -> None:
        replay_start(run=run, origin=BY_TEST)
        clock.shift(2)
        dispatch_due()
        replay_set_speed(run=run, steps_per_second=Decimal("0.5"), origin=BY_TEST)
        clock.shift(1)
        dispatch_due()
        assert position(run) == 2
        clock.shift(1)
        dispatch_due()
        assert position(run) == 3

    def test_a_clock_that_went_back_takes_no_step(self, run: ReplayRun, clock: time_machine.Traveller) -> None:
        replay_start(run=run, origin=BY_TEST)
        clock.shift(-60)
        dispatch_due()
        assert position(run) == 0

    @pytest.mark.parametrize("speed", ["0", "0.09", "50.01", "-1", "NaN", "Infinity"])
    def test_a_speed_out_of_bounds_is_refused_and_changes_nothing(self, run: ReplayRun, speed: str) -> None:
        told = rf"{speed} steps a second is outside 0\.1 to 50"
        with pytest.raises(Refused, match=told):
            replay_set_speed(run=run, steps_per_second=Decimal(speed), origin=BY_TEST)
        with pytest.raises(Refused, match=told):
            replay_create(
                account=run.portfolio.account,
                name="Another",
                series=list(run.series.all()),
                cells=[plan()],
                origin=BY_TEST,
                steps_per_second=Decimal(speed),
            )
        assert ReplayRun.objects.get().steps_per_second == 1


class TestSteps:
    def test_a_paused_replay_is_stepped_by_hand(self, run: ReplayRun) -> None:
        assert replay_step(run_id=run.pk) is None
        assert replay_step(run_id=run.pk, only_if_due=False) is not None
        assert (position(run), Tick.objects.get().as_of.date()) == (1, SESSIONS[0])

    def test_the_next_step_waits_for_the_orders_of_the_last(self, run: ReplayRun) -> None:
        replay_run_steps(run=run, steps=2)
        outcome = replay_step(run_id=run.pk, only_if_due=False)
        assert outcome is not None
        assert outcome.order_count == 1
        assert replay_step(run_id=run.pk, only_if_due=False) is None
        assert position(run) == 3

    def test_it_ends_after_its_last_bar(self, run: ReplayRun) -> None:
        assert replay_run_steps(run=run, steps=100) == len(CLOSES)
        assert ReplayRun.objects.get().status == ReplayRun.Status.FINISHED
        assert replay_step(run_id=run.pk, only_if_due=False) is None
        for verb in (replay_start, replay_pause):
            with pytest.raises(Refused, match="reached its end"):
                verb(run=run, origin=BY_TEST)

    def test_steps_taken_at_once_are_not_taken_off_its_pace(
        self, run: ReplayRun, clock: time_machine.Traveller
    ) -> None:
        replay_start(run=run, origin=BY_TEST)
        clock.shift(3)
        seen: list[int] = []
        assert replay_run_steps(run=run, steps=4, progress=seen.append) == 4
        assert seen == [1, 2, 3, 4]
        dispatch_due()
        assert position(run) == 4
        clock.shift(1)
        dispatch_due()
        assert position(run) == 5


class TestStartAgain:
    def test_a_fresh_portfolio_is_opened_and_the_old_one_archived(self, desk: Desk, run: ReplayRun) -> None:
        replay_run_steps(run=run, steps=5)
        first = list(Evaluation.objects.order_by("id").values_list("as_of", "action", "quantity"))
        fresh = replay_start_again(run=run, origin=BY_TEST)
        assert (fresh.portfolio.name, fresh.status, fresh.position) == ("Replay · run 2", "running", 0)
        assert (fresh.started_from_id, fresh.cells) == (run.pk, run.cells)
        old = Portfolio.objects.get(pk=run.portfolio_id)
        assert old.is_archived
        assert Cell.objects.get(portfolio=old).status == Cell.Status.ARCHIVED
        replay_run_steps(run=fresh, steps=5)
        again = Evaluation.objects.filter(tick__portfolio=fresh.portfolio).order_by("id")
        assert list(again.values_list("as_of", "action", "quantity")) == first
        third = replay_start_again(run=fresh, origin=BY_TEST)
        assert third.portfolio.name == "Replay · run 3"
        assert reconcile() == []

    def test_an_archived_replay_takes_no_step_and_is_not_started(
        self, run: ReplayRun, clock: time_machine.Traveller
    ) -> None:
        replay_start(run=run, origin=BY_TEST)
        portfolio_archive(portfolio=run.portfolio, origin=BY_TEST)
        clock.shift(5)
        assert replays_due() == []
        advance_replay(run.tenant_id, run.pk)
        assert replay_step(run_id=run.pk, only_if_due=False) is None
        assert (position(run), Tick.objects.count()) == (0, 0)
        with pytest.raises(Refused, match="Replay is archived; nothing in it runs again"):
            replay_start(run=ReplayRun.objects.get(), origin=BY_TEST)

    def test_twice_at_once_opens_one(self, desk: Desk, run: ReplayRun) -> None:
        stale = ReplayRun.objects.get(pk=run.pk)
        replay_start_again(run=run, origin=BY_TEST)
        with pytest.raises(Refused, match="archived already"):
            replay_start_again(run=stale, origin=BY_TEST)
        assert ReplayRun.objects.count() == 2


class TestRefusals:
    @pytest.mark.parametrize(
        "cells,told",
        [
            ([plan("AAPL")], "No bars were given for AAPL"),
            ([plan(), plan()], "IBM is given more than one cell"),
            ([plan(trigger_up=3)], "trigger_up"),
            ([plan(colour="red")], "colour"),
            ([plan(commission_rate=0.1)], "commission is the account's"),
            ([CellPlan("IBM", Decimal("10.001"), 0.5, {})], r"amount is 10\.001"),
            ([CellPlan("IBM", Decimal(-1), 0.5, {})], "amount is -1"),
            ([CellPlan("IBM", Decimal(10), 1.5, {})], r"stock_fraction is 1\.5"),
        ],
    )
    def test_what_could_not_be_opened_is_refused_before_anything_is_written(
        self, desk: Desk, cells: list[CellPlan], told: str
    ) -> None:
        series = make_series(CLOSES)
        before = Portfolio.objects.count()
        with pytest.raises(Refused, match=told):
            make_replay(desk.account, series, plans=cells)
        assert (Portfolio.objects.count(), ReplayRun.objects.count()) == (before, 0)

    def test_a_replay_of_nothing_is_refused(self, desk: Desk) -> None:
        with pytest.raises(Refused, match="No bars were given for a replay of nothing"):
            make_replay(desk.account)

    def test_a_replay_is_not_ticked_as_the_present_is(self, run: ReplayRun) -> None:
        with pytest.raises(Refused, match="is a replay and has its own time"):
            tick_portfolio(run.tenant_id, run.portfolio_id)


class TestApart:
    def test_two_replays_do_not_influence_each_other(self, desk: Desk) -> None:
        series = make_series(CLOSES)
        alone = make_replay(desk.account, series, name="Alone")
        replay_run_steps(run=alone, steps=10)
        beside = [make_replay(desk.account, series, name=name) for name in ("Left", "Right")]
        for step in range(10):
            for run in beside if step % 2 else reversed(beside):
                replay_run_steps(run=run, steps=1)
        told = [
            list(
                Evaluation.objects.filter(tick__portfolio=run.portfolio)
                .order_by("id")
                .values_list("as_of", "price", "anchor", "cash", "shares", "action", "quantity")
            )
            for run in (alone, *beside)
        ]
        assert told[0] == told[1] == told[2]
        assert Fill.objects.count() == 3 * 6
        assert {order.quote_source for order in Order.objects.filter(cell__portfolio=alone.portfolio)} == {alone.source}

    def test_another_tenants_portfolio_is_out_of_scope(self, run: ReplayRun, clock: time_machine.Traveller) -> None:
        other = make_desk("south")
        replay_start(run=run, origin=Origin(task="test"))
        clock.shift(1)
        with tenant_scope(other.tenant.pk), pytest.raises(ReplayRun.DoesNotExist):
            replay_step(run_id=run.pk)
        with pytest.raises(ReplayRun.DoesNotExist):
            advance_replay(other.tenant.pk, run.pk)
        with pytest.raises(Portfolio.DoesNotExist):
            tick_portfolio(run.tenant_id, other.portfolio.pk)
        assert position(run) == 0
