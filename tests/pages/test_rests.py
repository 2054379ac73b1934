"""Orders that rest on the cell's page: chosen in a dialog, shown with their state, listed among the orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from portfolios.models import Cell, Event, User
from portfolios.services import cell_set_execution
from portfolios.services.parameters import parameters_change
from tests.pages.worlds import TRADED, World
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import make_replay, make_series
from trading.models import Order, ReplayRun
from trading.selectors.cells import cell_rows, cell_views
from volbal.common import numbers


def url(world: World, what: str = "") -> str:
    return f"/cells/{world.cell.pk}/{what}"


def begin(world: World) -> None:
    """Let the cell rest orders around its anchor of 104."""
    cell_set_execution(cell=world.cell, execution="resting", origin=BY_TEST)
    world.tick(TRADED.replace(minute=2), "104")


def test_a_trader_chooses_in_a_dialog(world: World, signed_in: Client, trader: User) -> None:
    page = signed_in.get(url(world, "execution/")).content.decode()
    assert "each sized by the rule at its own price" in page
    answer = signed_in.post(url(world, "execution/"), {"execution": "resting", "note": "small moves"})
    assert answer["Location"] == url(world)
    assert Cell.objects.get(pk=world.cell.pk).execution == "resting"
    event = Event.objects.get(kind="cell.execution_set")
    assert (event.actor_id, event.before["execution"], event.reason) == (trader.pk, "watch", "small moves")
    told = signed_in.get(url(world)).content.decode()
    assert "rest at its triggers from its next look on" in told
    assert told.count("nothing rests") == 2


def test_what_cannot_be_is_refused_and_said(world: World, signed_in: Client) -> None:
    assert signed_in.post(url(world, "execution/"), {"execution": "floating", "note": ""}).status_code == 422
    parameters_change(cell=world.cell, values={"slice_notional": 500.0}, origin=BY_TEST)
    refused = signed_in.post(url(world, "execution/"), {"execution": "resting", "note": ""})
    assert refused.status_code == 422
    assert "slice_notional is 500.00; expected none" in refused.content.decode()
    assert Cell.objects.get(pk=world.cell.pk).execution == "watch"


def test_an_auditor_only_reads(world: World, auditor: Client) -> None:
    assert auditor.post(url(world, "execution/"), {"execution": "resting", "note": ""}).status_code == 403
    assert Cell.objects.get(pk=world.cell.pk).execution == "watch"


def test_the_page_shows_what_rests_and_the_orders_list_it(world: World, signed_in: Client) -> None:
    assert "Rests at the broker" not in signed_in.get(url(world)).content.decode()
    begin(world)
    page = signed_in.get(url(world)).content.decode()
    sell, buy = (Order.objects.get(purpose="resting", side=side) for side in ("SELL", "BUY"))
    assert (str(sell.limit_price), str(buy.limit_price)) == ("107.120000", "100.880000")
    for words in ("Rests at the broker", "107.12", "100.88", "Orders rest: sell"):
        assert words in page
    view = cell_views(cell_rows([world.portfolio]))[0]
    levels = [
        None if level is None else (level.price, numbers.shares(level.quantity)) for level in (view.sell, view.buy)
    ]
    assert levels == [(107.12, sell.quantity), (100.88, buy.quantity)]
    orders = signed_in.get(f"{url(world)}?tab=orders").content.decode()
    assert orders.count("Resting at its trigger") == 2


@pytest.mark.parametrize("path,kept", [("olhc", "olhc"), ("", "ohlc")])
def test_a_replay_starts_again_along_another_path(
    world: World, signed_in: Client, path: str, kept: str, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    run = make_replay(world.portfolio.account, make_series([100.0, 104.0]))
    again = f"/portfolios/{run.portfolio_id}/replay/again/"
    assert "Which price comes first for orders that rest" in signed_in.get(again).content.decode()
    signed_in.post(again, {"path": path})
    assert ReplayRun.objects.get(started_from=run).path == kept
