"""A replay's controls and a portfolio's tick, from their pages."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from portfolios import services
from portfolios.models import Event, Portfolio
from portfolios.services.origin import Origin
from portfolios.standings import place_of
from tests.pages.worlds import World
from tests.portfolios.builders import Firm, make_cell, make_firm, make_instrument
from trading.marketdata.catalogue import series_import
from trading.models import Fill, ReplayRun, Tick
from trading.services.replays import CellPlan, replay_create
from volbal.common.tenancy import tenant_scope

BARS = """date,open,high,low,close,volume
2024-02-28,100,100,100,100,1
2024-02-29,101,101,101,101,1
2024-03-01,104,104,104,104,1
"""


@pytest.fixture
def firm(db: None) -> Iterator[Firm]:
    made = make_firm()
    with tenant_scope(made.tenant.pk):
        yield made


@pytest.fixture
def run(firm: Firm, tmp_path: Path, settings: LazySettings) -> ReplayRun:
    """A paused replay of three sessions with one cell."""
    settings.MEDIA_ROOT = tmp_path / "files"
    path = tmp_path / "IBM.csv"
    path.write_text(BARS)
    series = series_import(instrument=make_instrument("IBM"), path=path, source="test")
    plan = CellPlan("IBM", Decimal(10_000), 0.5, {})
    return replay_create(account=firm.account, name="Three days", series=[series], cells=[plan], origin=firm.origin)


@pytest.fixture
def owner(firm: Firm) -> Client:
    client = Client()
    client.force_login(firm.owner)
    return client


def control(client: Client, run: ReplayRun, verb: str, **given: str) -> str:
    response = client.post(f"/portfolios/{run.portfolio_id}/replay/{verb}/", given, follow=True)
    run.refresh_from_db()
    return response.content.decode()


def test_a_step_by_hand_looks_fills_and_shows_it(owner: Client, run: ReplayRun) -> None:
    for _ in range(3):
        page = control(owner, run, "step")
    assert (run.position, run.status) == (3, "finished")
    assert Fill.objects.filter(order__cell__portfolio=run.portfolio).count() == 1
    assert "The replay has reached its end." in page
    assert "SELL" in page
    assert "0 of 1 trading" in page
    assert "/cells/pause/" not in page
    assert "reached its end" in owner.get(f"/portfolios/{run.portfolio_id}/replay/again/").content.decode()


def test_a_step_past_the_end_says_why_it_was_not_taken(owner: Client, run: ReplayRun) -> None:
    for _ in range(4):
        page = control(owner, run, "step")
    assert "No step was taken" in page
    assert Tick.objects.filter(portfolio=run.portfolio).count() == 3


def test_a_replay_goes_on_and_pauses(owner: Client, run: ReplayRun) -> None:
    control(owner, run, "start")
    assert run.status == "running"
    control(owner, run, "pause")
    assert run.status == "paused"


@pytest.mark.parametrize("speed,kept", [("5", Decimal(5)), ("1000", Decimal(1)), ("abc", Decimal(1)), ("", Decimal(1))])
def test_the_speed_changes_within_its_bounds(owner: Client, run: ReplayRun, speed: str, kept: Decimal) -> None:
    page = control(owner, run, "speed", steps_per_second=speed)
    assert run.steps_per_second == kept
    assert ("toast-error" in page) is (speed != "5")


def test_a_control_used_in_place_answers_with_its_banner_alone(owner: Client, run: ReplayRun) -> None:
    address = f"/portfolios/{run.portfolio_id}/replay/speed/"
    page = owner.post(address, {"steps_per_second": "2"}, HTTP_HX_REQUEST="true").content.decode()
    assert 'id="replay"' in page
    assert "<html" not in page
    refused = owner.post(address, {"steps_per_second": "1000"}, HTTP_HX_REQUEST="true").content.decode()
    assert 'role="alert"' in refused


def test_starting_again_says_what_becomes_of_the_old_run_and_keeps_it(owner: Client, run: ReplayRun) -> None:
    control(owner, run, "step")
    asked = owner.get(f"/portfolios/{run.portfolio_id}/replay/again/").content.decode()
    assert "is archived and kept to read" in asked
    page = control(owner, run, "again")
    fresh = ReplayRun.objects.get(started_from=run)
    assert fresh.portfolio.name in page
    assert Portfolio.objects.get(pk=run.portfolio_id).is_archived
    old = owner.get(f"/portfolios/{run.portfolio_id}/").content.decode()
    assert "This run is over and kept to read." in old
    assert "IBM" in old
    assert "replay/step" not in old


def test_an_old_run_takes_no_more_steps(owner: Client, run: ReplayRun) -> None:
    control(owner, run, "again")
    assert owner.post(f"/portfolios/{run.portfolio_id}/replay/step/").status_code == 404


def test_a_cell_of_an_old_run_is_read_whole(owner: Client, run: ReplayRun) -> None:
    control(owner, run, "step")
    cell = run.portfolio.cells.get()
    control(owner, run, "again")
    page = owner.get(f"/cells/{cell.pk}/").content.decode()
    assert "deposit" not in page
    assert "Held:" in page


def test_a_tick_now_looks_at_every_cell(world: World, signed_in: Client) -> None:
    before = Tick.objects.filter(portfolio=world.portfolio).count()
    page = signed_in.post(f"/portfolios/{world.portfolio.pk}/tick/", follow=True).content.decode()
    assert Tick.objects.filter(portfolio=world.portfolio).count() == before + 1
    assert "Asked for a tick" in page


def test_a_replay_has_no_tick_of_the_present(owner: Client, run: ReplayRun) -> None:
    page = owner.post(f"/portfolios/{run.portfolio_id}/tick/", follow=True).content.decode()
    assert "nothing was done" in page


def test_a_trader_says_how_often_a_portfolio_is_looked_at(world: World, signed_in: Client) -> None:
    address = f"/portfolios/{world.portfolio.pk}/ticks/"
    assert address in signed_in.get(f"/portfolios/{world.portfolio.pk}/").content.decode()
    typed = {"tick_interval_seconds": "5", "tick_on_quotes": "on", "note": "streamed prices"}
    refused = signed_in.post(address, typed | {"tick_interval_seconds": "0"})
    assert refused.status_code == 422
    assert "streamed prices" in refused.content.decode()
    page = signed_in.post(address, typed, follow=True).content.decode()
    assert "every 5 s and on new quotes" in page
    world.portfolio.refresh_from_db()
    assert (world.portfolio.tick_interval_seconds, world.portfolio.tick_on_quotes) == (5, True)
    event = Event.objects.filter(kind="portfolio.ticks_set").latest("id")
    assert (event.reason, event.after["tick_on_quotes"]) == ("streamed prices", True)


def test_a_replay_keeps_its_own_pace(owner: Client, run: ReplayRun) -> None:
    address = f"/portfolios/{run.portfolio_id}/ticks/"
    assert owner.get(address).status_code == 404
    assert address not in owner.get(f"/portfolios/{run.portfolio_id}/").content.decode()


def test_a_portfolio_of_the_present_has_no_replay(world: World, signed_in: Client) -> None:
    assert signed_in.post(f"/portfolios/{world.portfolio.pk}/replay/start/").status_code == 404


def test_all_cells_are_paused_and_started_together(world: World, signed_in: Client) -> None:
    base = f"/portfolios/{world.portfolio.pk}/cells"
    paused = signed_in.post(f"{base}/pause/", follow=True).content.decode()
    assert "1 cell paused." in paused
    assert "Start 1" in paused
    started = signed_in.post(f"{base}/start/", follow=True).content.decode()
    assert "1 cell started." in started
    world.cell.refresh_from_db()
    assert world.cell.status == "active"


def test_a_cell_that_cannot_start_does_not_hold_up_the_others(world: World, signed_in: Client) -> None:
    signed_in.post(f"/portfolios/{world.portfolio.pk}/cells/pause/")
    make_cell(world.firm, "MSFT", anchor=None)
    page = signed_in.post(f"/portfolios/{world.portfolio.pk}/cells/start/", follow=True).content.decode()
    assert "1 cell started." in page
    assert "has no anchor" in page


def test_a_cell_of_a_halted_portfolio_is_not_near_to_acting(world: World, signed_in: Client) -> None:
    services.restriction_place(on=place_of(world.portfolio), state="halted", origin=Origin(reason="a drill"))
    page = signed_in.get(f"/portfolios/{world.portfolio.pk}/").content.decode()
    assert "0 of 1 trading" in page
    assert '.nearness"' not in page


def test_an_empty_firm_is_told_how_to_begin(owner: Client) -> None:
    Portfolio.objects.update(is_archived=True)
    assert "No portfolio yet" in owner.get("/").content.decode()


def test_a_replay_without_cells_says_how_they_open(owner: Client, run: ReplayRun) -> None:
    page = owner.get(f"/portfolios/{run.portfolio_id}/").content.decode()
    assert "The replay opens its cells with its first price" in page
