"""Fetching history as a job: each symbol kept when it is there, errors by symbol, stopped and taken up again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from portfolios.models import Cell, Event, User
from portfolios.services import Origin
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import SESSIONS, Desk, daily_bars, fresh, make_series, open_cell, tick
from trading import tasks
from trading.marketdata import history
from trading.marketdata.history import HistoryError, HistoryRange
from trading.models import Backfill, BarSeries, CorporateAction
from trading.services.backfills import (
    LEASE,
    MOST_ATTEMPTS,
    backfill_cancel,
    backfill_create,
    backfill_held_actions,
    backfill_run,
    backfills_waiting,
)
from volbal.common import clock
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant
from volbal.strategy import Bars, Dividend, Split


class Tape:
    """A source that gives what a test put on it and fails where it was told to."""

    name = "tape"

    def __init__(self) -> None:
        self.closes: dict[str, list[float]] = {"IBM": [100, 101, 102], "MSFT": [30, 31, 32]}
        self.dividends_of: dict[str, list[Dividend]] = {}
        self.splits_of: dict[str, list[Split]] = {}
        self.broken: set[str] = set()
        self.asked: list[str] = []
        self.before: Callable[[], Any] = lambda: None

    def bars(self, instrument: Any, asked: HistoryRange) -> Bars:
        self.asked.append(instrument.symbol)
        self.before()
        if instrument.symbol in self.broken:
            raise HistoryError(f"The tape of {instrument.symbol} is torn.")
        return daily_bars(self.closes[instrument.symbol], symbol=instrument.symbol).select(asked.start, asked.end)

    def dividends(self, instrument: Any, start: dt.date, end: dt.date) -> list[Dividend]:
        return self.dividends_of.get(instrument.symbol, [])

    def splits(self, instrument: Any, start: dt.date, end: dt.date) -> list[Split]:
        return self.splits_of.get(instrument.symbol, [])


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch, db: None) -> Tape:
    one = Tape()
    monkeypatch.setitem(history._factories, "tape", lambda: one)
    for symbol in one.closes:
        make_instrument(symbol)
    return one


def ask(*symbols: str, resolution: str = "daily") -> Backfill:
    return backfill_create(
        source="tape",
        symbols=symbols or ("IBM", "MSFT"),
        start=SESSIONS[0],
        end=SESSIONS[10],
        resolution=resolution,
        origin=BY_TEST,
    )


def run(job: Backfill) -> Backfill:
    done = backfill_run(backfill_id=job.pk)
    assert done is not None
    return done


def test_it_keeps_a_new_version_of_each_series_and_says_so(tape: Tape) -> None:
    done = run(ask())
    assert (done.state, done.progress_text) == ("completed", "2 of 2 symbols")
    assert done.results["IBM"] == "bars: 3 new, 0 corrected, version 1, clean"
    series = BarSeries.objects.get(instrument__symbol="IBM")
    assert (series.source, series.rows, series.grade) == ("tape", 3, "clean")


def test_what_is_there_is_joined_and_what_differs_is_listed(tape: Tape) -> None:
    make_series([99, 101], symbol="IBM")
    done = run(ask("IBM"))
    assert done.results["IBM"] == "bars: 1 new, 1 corrected, version 2, clean"
    newest = BarSeries.objects.get(version=2)
    assert newest.corrections == ["2024-03-04: open 99 is 100, high 99 is 100, low 99 is 100, close 99 is 100"]
    assert BarSeries.objects.get(version=1).rows == 2


def test_the_same_again_makes_no_version(tape: Tape) -> None:
    run(ask("IBM"))
    assert run(ask("IBM")).results["IBM"] == "bars: nothing new in 3"
    assert BarSeries.objects.count() == 1


def test_actions_come_with_it_and_late_ones_reach_the_cells(tape: Tape, desk: Desk) -> None:
    cell = open_cell(desk.portfolio, started=False)
    for day in (SESSIONS[3], SESSIONS[4]):
        tick(desk.portfolio, {"IBM": 100}, dt.datetime.combine(day, dt.time(15, 30), dt.UTC))
    tape.dividends_of["IBM"] = [Dividend(SESSIONS[3], 1.0, SESSIONS[4])]
    told = run(ask("IBM", resolution="")).results["IBM"]
    assert told == "actions: 1 created, 0 changed, 0 unchanged, 0 refused"
    tick(desk.portfolio, {"IBM": 100}, dt.datetime.combine(SESSIONS[5], dt.time(15, 30), dt.UTC))
    assert fresh(cell).cash == Decimal("5037.50")
    tape.dividends_of["IBM"] = [Dividend(SESSIONS[3], 2.0, SESSIONS[4])]
    assert "1 changed" in run(ask("IBM", resolution="")).results["IBM"]
    assert fresh(cell).cash == 5_075


def test_bars_are_judged_with_the_splits_that_came_with_them(tape: Tape) -> None:
    tape.closes["IBM"] = [100, 100.5, 100.2, 50.3, 50.2, 50.4, 50.1, 50.3]
    tape.splits_of["IBM"] = [Split(SESSIONS[3], 2.0)]
    run(ask("IBM"))
    assert BarSeries.objects.get().grade == "clean"
    assert CorporateAction.objects.get().source == "tape"


def test_one_that_fails_does_not_hold_up_the_others(tape: Tape) -> None:
    tape.broken = {"IBM"}
    done = run(ask())
    assert (done.state, done.errors) == ("completed", {"IBM": "The tape of IBM is torn."})
    assert list(done.results) == ["MSFT"]
    assert done.progress_text == "2 of 2 symbols, 1 failed"


def test_where_all_fail_the_job_has_failed(tape: Tape) -> None:
    tape.broken = {"IBM", "MSFT"}
    assert run(ask()).state == "failed"
    assert not BarSeries.objects.exists()


def test_where_the_source_is_gone_the_job_says_so(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    job = ask()
    monkeypatch.delitem(history._factories, "tape")
    done = run(job)
    assert (done.state, list(done.errors)) == ("failed", [""])
    assert "no source of history" in done.errors[""]


def test_cancelled_while_it_waits_nothing_is_fetched(tape: Tape) -> None:
    job = ask()
    backfill_cancel(backfill=job, origin=BY_TEST)
    assert backfill_run(backfill_id=job.pk) is None
    assert tape.asked == []
    with pytest.raises(Refused, match="ended already"):
        backfill_cancel(backfill=job, origin=BY_TEST)


def test_cancelled_while_it_runs_it_stops_after_the_symbol_at_hand(tape: Tape) -> None:
    job = ask()
    tape.before = lambda: backfill_cancel(backfill=job, origin=BY_TEST)
    done = run(job)
    assert (done.state, tape.asked, list(done.results)) == ("cancelled", ["IBM"], ["IBM"])


def test_a_lost_workers_job_goes_on_with_what_is_left(tape: Tape, time_machine: Any) -> None:
    job = ask()
    Backfill.objects.filter(pk=job.pk).update(
        state="running", attempts=1, lease_until=clock.now() - LEASE, results={"IBM": "done before"}
    )
    assert backfills_waiting() == [job.pk]
    done = run(job)
    assert (tape.asked, done.results["IBM"], done.state) == (["MSFT"], "done before", "completed")


def test_a_worker_that_comes_back_late_writes_nothing_more(tape: Tape) -> None:
    job = ask()
    tape.before = lambda: Backfill.objects.filter(pk=job.pk).update(attempts=2)
    assert backfill_run(backfill_id=job.pk) is None
    assert Backfill.objects.get().results == {}


def test_one_that_loses_every_worker_fails(tape: Tape) -> None:
    job = ask()
    Backfill.objects.filter(pk=job.pk).update(state="running", attempts=MOST_ATTEMPTS, lease_until=clock.now() - LEASE)
    assert backfill_run(backfill_id=job.pk) is None
    assert Backfill.objects.get().state == "failed"


def test_what_another_worker_has_is_left_to_it(tape: Tape) -> None:
    job = ask()
    Backfill.objects.filter(pk=job.pk).update(state="running", attempts=1, lease_until=clock.now() + LEASE)
    assert backfill_run(backfill_id=job.pk) is None
    assert backfills_waiting() == []


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"source": "none"}, "no source of history"),
        ({"symbols": ["GONE"]}, "No instrument has the symbol GONE"),
        ({"symbols": [" "]}, "nothing at all"),
        ({"start": SESSIONS[5], "end": SESSIONS[0]}, "is after end"),
    ],
)
def test_what_cannot_be_asked_is_refused(tape: Tape, changes: dict[str, Any], told: str) -> None:
    given: dict[str, Any] = {"source": "tape", "symbols": ["IBM"], "start": SESSIONS[0], "end": SESSIONS[5]}
    with pytest.raises(Refused, match=told):
        backfill_create(**(given | changes), origin=BY_TEST)
    assert not Backfill.objects.exists()


class TestDaily:
    """What is held is asked about each day, where a source is set."""

    @pytest.fixture
    def held(self, tape: Tape, desk: Desk) -> Cell:
        return open_cell(desk.portfolio, started=False)

    def test_without_a_source_nothing_is_asked(self, held: Cell) -> None:
        assert backfill_held_actions() is None

    def test_with_one_the_actions_of_held_instruments_are(self, held: Cell, settings: Any) -> None:
        settings.HISTORY_SOURCE = "tape"
        job = backfill_held_actions()
        assert job is not None
        assert (job.symbols, job.resolution, job.start < clock.now().date() < job.end) == (["IBM"], "", True)

    def test_the_schedule_queues_it_and_the_sweeper_runs_it(
        self, held: Cell, tape: Tape, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.HISTORY_SOURCE = "tape"
        tape.dividends_of["IBM"] = [Dividend(SESSIONS[3], 1.0, SESSIONS[4])]
        monkeypatch.setattr(tasks.backfill_job, "delay", lambda _: None)
        tasks.backfill_actions()
        assert Backfill.objects.get().state == "queued"
        monkeypatch.setattr(tasks.backfill_job, "delay", tasks.backfill_job)
        tasks.backfill_waiting()
        assert Backfill.objects.get().state == "completed"
        assert CorporateAction.objects.get().amount == 1


class TestCommandAndConsole:
    """The same from the command line and by the platform operator."""

    @pytest.fixture
    def operator(self, tape: Tape, monkeypatch: pytest.MonkeyPatch) -> Client:
        monkeypatch.setattr(tasks.backfill_job, "apply_async", lambda *_, **__: None)
        client = Client()
        client.force_login(User.objects.create_superuser("platform@example.com"))
        return client

    def test_the_command_fetches_and_says_what_became_of_each(self, tape: Tape, capsys: Any) -> None:
        call_command(
            "backfill", "--source", "tape", "--symbols", "IBM,MSFT", "--start", "2024-03-04", "--end", "2024-03-20"
        )
        assert "IBM: bars: 3 new, 0 corrected, version 1, clean" in capsys.readouterr().out

    def test_a_symbol_that_fails_ends_with_a_status_and_the_rest_is_kept(self, tape: Tape) -> None:
        tape.broken = {"IBM"}
        with pytest.raises(CommandError, match="The tape of IBM is torn"):
            call_command("backfill", "--source", "tape", "--symbols", "IBM,MSFT", "--start", "2024-03-04")
        assert BarSeries.objects.get().instrument.symbol == "MSFT"

    def test_an_unknown_symbol_is_refused_before_anything_is_asked(self, tape: Tape) -> None:
        with pytest.raises(CommandError, match="GONE"):
            call_command("backfill", "--source", "tape", "--symbols", "GONE", "--start", "2024-03-04")
        assert tape.asked == []

    def test_an_operator_asks_for_selected_instruments(self, operator: Client) -> None:
        ids = ",".join(str(make_instrument(symbol).pk) for symbol in ("IBM", "MSFT"))
        typed = {"source": "tape", "start": "2024-03-04", "end": "2024-03-20", "resolution": "daily"}
        done = operator.post(f"{reverse('admin:portfolios_instrument_operation_backfill')}?ids={ids}", typed)
        assert done.status_code == 302
        assert sorted(job.symbols[0] for job in Backfill.objects.all()) == ["IBM", "MSFT"]

    def test_an_operator_sees_how_far_it_is_and_stops_it(self, operator: Client) -> None:
        job = ask()
        assert "0 of 2 symbols" in operator.get(reverse("admin:trading_backfill_changelist")).content.decode()
        operator.post(f"{reverse('admin:trading_backfill_operation_cancel')}?ids={job.pk}", {})
        assert Backfill.objects.get().state == "cancelled"
        with every_tenant():
            assert Event.objects.filter(kind="backfill.cancelled").exists()

    def test_an_operator_asks_for_several_at_once(self, operator: Client) -> None:
        typed = {
            "source": "tape", "symbols": "IBM, MSFT", "start": "2024-03-04", "end": "2024-03-20", "resolution": "none",
        }  # fmt: skip
        assert operator.post(reverse("admin:trading_backfill_add"), typed).status_code == 302
        job = Backfill.objects.get()
        assert (job.symbols, job.resolution, job.created_by is not None) == (["IBM", "MSFT"], "", True)


def test_who_asked_stands_in_the_events_of_what_was_stored(tape: Tape) -> None:
    person = User.objects.create_superuser("platform@example.com")
    job = backfill_create(
        source="tape",
        symbols=["IBM"],
        start=SESSIONS[0],
        end=SESSIONS[5],
        origin=Origin(actor_id=person.pk),
    )
    run(job)
    with every_tenant():
        assert Event.objects.get(kind="series.imported").actor_id == person.pk
