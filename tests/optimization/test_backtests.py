"""Backtests as jobs: created once, run once, whatever is lost or told twice."""

import datetime as dt

import numpy as np
import pytest

from optimization.models import MOVES, Backtest
from optimization.services import backtests as service
from optimization.services.demonstration import demonstration_backtest
from optimization.services.results import read_frame
from optimization.services.states import StateError, move
from optimization.tasks import run_backtest, run_waiting
from portfolios.models import Event
from tests.portfolios.builders import make_firm
from trading.marketdata.catalogue import load_actions, load_bars
from volbal.common import clock
from volbal.common.errors import Conflict, Refused
from volbal.common.tenancy import ScopeError, tenant_scope
from volbal.strategy import StrategyParameters, simulate

State = Backtest.State
ALL_STATES = [(before, after) for before in State for after in State]


@pytest.fixture
def create(scoped, series):
    def make(**changes):
        return service.backtest_create(
            **({"tenant": scoped.tenant, "series": series, "origin": scoped.origin} | changes)
        )

    return make


def again(row):
    return Backtest.objects.get(pk=row.pk)


def kinds(row):
    return list(Event.objects.filter(subject=f"backtest:{row.pk}").order_by("id").values_list("kind", flat=True))


def leave_behind(row, state=State.RUNNING, attempts=1):
    """Leave a backtest as a worker does that was killed."""
    Backtest.objects.filter(pk=row.pk).update(
        state=state, attempts=attempts, lease_until=clock.now() - dt.timedelta(seconds=1)
    )


def test_a_new_backtest_waits_with_everything_it_was_asked(create, scoped, series):
    row = again(create(parameters={"trigger_up": 0.05}, options={"cash": 5000, "start": dt.date(2005, 6, 1)}))
    assert (row.state, row.name, row.created_by) == (State.QUEUED, "IBM daily", scoped.owner)
    assert row.parameters == StrategyParameters(trigger_up=0.05).to_dict()
    assert row.options == {
        "cash": 5000, "stock_fraction": 0.5, "shares": None, "anchor": None, "fill": "close", "execution": "watch",
        "path": "ohlc", "slippage_bps": 0.0, "start": "2005-06-01", "end": None, "risk_free_rate": 0.0,
        "reinvest": False,
    }  # fmt: skip
    assert kinds(row) == ["backtest.created"]


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"parameters": {"trigger_up": 3}}, "trigger_up is 3; expected a number above 0 and below 1."),
        ({"parameters": {"colour": 3}}, "colour is [3]; expected a known parameter."),
        ({"options": {"cash": -1}}, "cash is -1; expected a finite number of at least 0."),
        ({"options": {"dividends": []}}, "dividends is no option of a backtest; expected cash, stock_fraction"),
        ({"options": {"start": "soon"}}, "date is 'soon'; expected a date as YYYY-MM-DD."),
        ({"options": {"start": "2020-01-02"}}, "expected a range that holds at least one bar."),
    ],
)
def test_what_cannot_run_is_refused_before_it_is_kept(create, changes, expected):
    with pytest.raises(Refused) as caught:
        create(**changes)
    assert expected in str(caught.value)
    assert not Backtest.objects.exists()


def test_a_run_keeps_what_the_rule_says(create, series, ibm):
    row = service.backtest_run(backtest_id=create(parameters={"trigger_up": 0.05}).pk)
    dividends, splits = load_actions(ibm)
    result = simulate(load_bars(series), StrategyParameters(trigger_up=0.05), dividends=dividends, splits=splits)
    assert row.state == State.COMPLETED
    assert row.measures == result.measures
    assert row.measures["dividends_net"] > 0
    assert (row.bars, row.first, row.last, row.progress) == (503, "2005-01-03", "2006-12-29", 1.0)
    assert row.final["cash"] == result.final.cash
    assert row.lease_until is None
    assert kinds(row) == ["backtest.created", "backtest.running", "backtest.completed"]


def test_its_files_hold_days_and_trades(create):
    row = service.backtest_run(backtest_id=create().pk)
    days, trades = read_frame(row, "days_file"), read_frame(row, "trades_file")
    assert (len(days), days["date"].iloc[0], days["date"].iloc[-1]) == (503, "2005-01-03", "2006-12-29")
    assert days["value"].iloc[-1] == pytest.approx(row.measures["final_value"])
    assert days["drawdown"].min() == pytest.approx(row.measures["max_drawdown"])
    assert len(trades) == row.measures["trades"]
    assert trades["commission"].sum() == pytest.approx(row.measures["commission"])


def test_a_run_without_trades_has_an_empty_file_of_them(create):
    row = service.backtest_run(backtest_id=create(parameters={"trigger_up": 0.9, "trigger_down": 0.9}).pk)
    assert len(read_frame(row, "trades_file")) == 0
    assert row.measures["win_rate"] is None


def test_the_manifest_says_what_it_was_made_from(create, series):
    first, second = (service.backtest_run(backtest_id=create().pk) for _ in range(2))
    assert first.manifest == second.manifest
    assert first.manifest["bars"] == series.sha256
    assert first.manifest["parameters"]["commission_rate"] == 0.0001
    assert len(first.manifest["code"]) == len(first.manifest["actions"]) == 64


def test_running_twice_changes_nothing(create):
    row = service.backtest_run(backtest_id=create().pk)
    assert service.backtest_run(backtest_id=row.pk) is None
    assert kinds(row).count("backtest.completed") == 1


def test_what_another_worker_runs_is_left_to_it(create):
    row = create()
    Backtest.objects.update(state=State.RUNNING, lease_until=clock.now() + dt.timedelta(minutes=1), attempts=1)
    assert service.backtest_run(backtest_id=row.pk) is None
    assert again(row).state == State.RUNNING


def test_a_lost_workers_backtest_is_taken_up_again(create):
    row = create()
    leave_behind(row)
    assert [one.pk for one in service.backtests_waiting()] == [row.pk]
    assert service.backtest_run(backtest_id=row.pk).state == State.COMPLETED
    assert again(row).attempts == 2


def test_a_backtest_that_loses_every_worker_fails(create):
    row = create()
    leave_behind(row, attempts=service.MOST_ATTEMPTS)
    assert service.backtest_run(backtest_id=row.pk) is None
    row = again(row)
    assert (row.state, row.error) == (State.FAILED, "The worker was lost 3 times; it is not tried again.")


def test_a_worker_that_comes_back_late_drops_its_result(create, monkeypatch, tmp_path):
    row = create()

    def overtaken(*arguments, **options):
        Backtest.objects.filter(pk=row.pk).update(attempts=2)
        return simulate(*arguments, **options)

    monkeypatch.setattr(service, "simulate", overtaken)
    assert service.backtest_run(backtest_id=row.pk) is None
    assert again(row).measures == {}
    assert list((tmp_path / "files").glob("backtests/*")) == []


def test_files_are_removed_when_the_result_cannot_be_kept(create, monkeypatch, tmp_path):
    row = create()
    monkeypatch.setattr(service, "_manifest", lambda *_: (_ for _ in ()).throw(Conflict("lost the race")))
    assert service.backtest_run(backtest_id=row.pk) is None
    assert list((tmp_path / "files").glob("backtests/*")) == []


def test_a_run_that_cannot_be_made_says_why(create, series):
    row = create()
    series.file.storage.delete(series.file.name)
    from trading.marketdata import catalogue

    catalogue._load.cache_clear()
    row = service.backtest_run(backtest_id=row.pk)
    assert row.state == State.FAILED
    assert "No such file" in row.error
    assert kinds(row)[-1] == "backtest.failed"


def test_what_waits_is_cancelled_at_once(create, scoped):
    row = service.backtest_cancel(backtest=create(), origin=scoped.origin)
    assert again(row).state == State.CANCELLED
    assert again(row).finished_at is not None
    assert service.backtest_run(backtest_id=row.pk) is None


def test_what_runs_is_cancelled_at_its_next_step(create, scoped, monkeypatch, tmp_path):
    row = create()

    def cancelled_meanwhile(*arguments, **options):
        service.backtest_cancel(backtest=row, origin=scoped.origin)
        assert again(row).state == State.CANCELLING
        return simulate(*arguments, **options)

    monkeypatch.setattr(service, "simulate", cancelled_meanwhile)
    assert service.backtest_run(backtest_id=row.pk).state == State.CANCELLED
    assert list((tmp_path / "files").glob("backtests/*")) == []
    assert kinds(row)[-2:] == ["backtest.cancelling", "backtest.cancelled"]


def test_cancelling_twice_is_once(create, scoped):
    row = create()
    Backtest.objects.update(state=State.CANCELLING)
    service.backtest_cancel(backtest=row, origin=scoped.origin)
    assert kinds(row) == ["backtest.created"]


def test_a_cancelled_backtest_whose_worker_was_lost_ends(create):
    row = create()
    leave_behind(row, State.CANCELLING)
    assert service.backtest_run(backtest_id=row.pk) is None
    assert again(row).state == State.CANCELLED


def test_what_has_ended_cannot_be_cancelled(create, scoped):
    row = service.backtest_run(backtest_id=create().pk)
    with pytest.raises(Refused, match="IBM daily is completed already; only what waits or runs can be cancelled"):
        service.backtest_cancel(backtest=row, origin=scoped.origin)


@pytest.mark.parametrize("before, after", ALL_STATES)
def test_only_the_moves_of_the_table_are_made(create, scoped, before, after):
    row = create()
    whole = {"bars": 1, "finished_at": clock.now()} if State.COMPLETED in (before, after) else {}
    Backtest.objects.filter(pk=row.pk).update(state=before, **whole)
    row = again(row)
    if after in MOVES[before]:
        move(row, after, origin=scoped.origin, **whole)
        assert again(row).state == after
        return
    with pytest.raises(StateError, match=f"is {before}; it cannot become {after}"):
        move(row, after, origin=scoped.origin)
    assert again(row).state == before


def test_of_two_moves_at_once_one_succeeds(create, scoped):
    row = create()
    late = again(row)
    move(row, State.CANCELLED, origin=scoped.origin)
    with pytest.raises(Conflict):
        move(late, State.RUNNING, origin=scoped.origin)
    assert again(row).state == State.CANCELLED


def test_the_sweeper_runs_what_nobody_was_told_of(create):
    rows = [create(), create()]
    run_waiting()
    assert [again(row).state for row in rows] == [State.COMPLETED] * 2


def test_a_task_told_twice_runs_once(create):
    row = create()
    for _ in range(2):
        run_backtest(row.tenant_id, row.pk)
    assert again(row).attempts == 1


def test_another_firm_does_not_see_it(create):
    row = create()
    other = make_firm("south")
    with tenant_scope(other.tenant.pk):
        assert not Backtest.objects.filter(pk=row.pk).exists()
        assert service.backtest_run(backtest_id=row.pk) is None


def test_without_a_scope_it_raises(db):
    with pytest.raises(ScopeError):
        service.backtest_run(backtest_id=1)


def test_the_series_beside_it_are_those_of_the_measures(ibm_bars):
    from optimization.series import daily_series

    result = simulate(ibm_bars, StrategyParameters(min_stock=0.45, max_stock=0.55), stock_fraction=0.9)
    days = daily_series(result)
    start = 100_000.0
    assert days.value[-1] == result.measures["final_value"]
    assert days.stock_value[-1] / start - 1 == pytest.approx(result.measures["stock_return"], abs=1e-6)
    assert days.mix_value[-1] / start - 1 == pytest.approx(result.measures["mix_return"], abs=1e-6)
    assert days.drawdown.min() == pytest.approx(result.measures["max_drawdown"])
    assert np.all(days.days[1:] > days.days[:-1])


def test_the_demonstration_has_a_finished_backtest_made_once(scoped, series):
    rows = [demonstration_backtest(tenant=scoped.tenant) for _ in range(2)]
    assert rows[0].pk == rows[1].pk
    assert rows[0].state == State.COMPLETED


def test_the_demonstration_without_prices_says_what_is_missing(scoped):
    with pytest.raises(LookupError, match="prices of IBM are not loaded"):
        demonstration_backtest(tenant=scoped.tenant)
