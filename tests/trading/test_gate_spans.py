"""A gate that goes on refusing writes one row, and the timeline still says what was said at any moment."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from portfolios.models import Cell, Event, TradingRestriction
from portfolios.services import Origin, account_deposit, cell_deposit, restriction_lift, restriction_place
from portfolios.standings import place_of
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, fresh, make_replay, make_series, open_cell, tick
from tests.trading.test_console import client_of
from trading.models import Evaluation, Tick
from trading.selectors.cells import cell_rows, cell_views
from trading.selectors.price_attention import price_attention
from trading.services.replays import replay_step

SECOND = dt.timedelta(seconds=1)
NIGHT = dt.datetime(2024, 3, 8, 2, 13, tzinfo=dt.UTC)


def looks(desk: Desk, count: int, price: Any = 100, start: dt.datetime = NIGHT) -> dt.datetime:
    """Take a tick each second and return the moment of the last."""
    for number in range(count):
        tick(desk.portfolio, {"IBM": price(number) if callable(price) else price}, start + number * SECOND)
    return start + (count - 1) * SECOND


def halt(on: Any) -> TradingRestriction:
    return restriction_place(on=place_of(on), state="halted", origin=Origin(task="desk", reason="a drill"))


def test_a_closed_market_is_one_row_for_the_whole_night(desk: Desk, cell: Cell) -> None:
    last = looks(desk, 30)
    row = Evaluation.objects.get()
    assert (row.reason, row.as_of, row.until, row.looks) == ("market_closed", NIGHT, last, 30)
    assert Tick.objects.count() == 30
    tick(desk.portfolio, {"IBM": 100}, OPEN + dt.timedelta(days=1))
    assert list(Evaluation.objects.order_by("id").values_list("reason", "looks")) == [
        ("market_closed", 30),
        ("inside_band", 1),
    ]


def test_what_the_rule_was_asked_is_always_a_row_of_its_own(desk: Desk, cell: Cell) -> None:
    looks(desk, 5, start=OPEN)
    assert list(Evaluation.objects.values_list("reason", "looks", "until")) == [("inside_band", 1, None)] * 5


def test_a_new_row_says_it_where_anything_it_says_has_changed(desk: Desk, cell: Cell) -> None:
    account_deposit(account=desk.account, amount=Decimal(500), as_of=OPEN, origin=BY_TEST)
    looks(desk, 3)
    cell_deposit(cell=fresh(cell), cash=Decimal(500), as_of=NIGHT, origin=BY_TEST)
    looks(desk, 3, start=NIGHT + 10 * SECOND)
    halt(cell)
    looks(desk, 3, start=NIGHT + 20 * SECOND)
    rows = Evaluation.objects.order_by("id").values_list("reason", "cash", "looks")
    assert list(rows) == [
        ("market_closed", Decimal(5_000), 3),
        ("market_closed", Decimal(5_500), 3),
        ("halted", Decimal(5_500), 3),
    ]


def test_a_halted_cell_keeps_a_row_a_minute_while_its_price_moves(desk: Desk, cell: Cell) -> None:
    halt(cell)
    looks(desk, 130, lambda number: f"{100 + number / 1000:.3f}", OPEN)
    assert list(Evaluation.objects.order_by("id").values_list("looks", flat=True)) == [60, 60, 10]


def test_a_replay_keeps_each_look_as_the_backtest_does(desk: Desk) -> None:
    run = make_replay(desk.account, make_series([100] * 6))
    halt(run.portfolio)
    for _ in range(6):
        replay_step(run_id=run.pk, only_if_due=False)
    assert set(Evaluation.objects.filter(tick__portfolio=run.portfolio).values_list("looks", flat=True)) <= {1}


@pytest.mark.parametrize(
    "typed,said",
    [
        ("2024-03-07T21:13:20", "the market is closed"),  # 02:13:20 in UTC, inside the row of 02:13:00
        ("2024-03-07T21:13", "the market is closed"),
        ("2024-03-07T10:31:10", "trading is halted here"),
        ("2024-03-07T10:29", "Not asked yet"),
    ],
)
def test_the_timeline_says_why_not_at_any_moment(desk: Desk, cell: Cell, typed: str, said: str) -> None:
    held = halt(cell)
    looks(desk, 90, start=OPEN)
    restriction_lift(restriction=held, origin=by_owner(desk))
    looks(desk, 40)
    looks(desk, 3, start=OPEN + dt.timedelta(days=1))
    client: Client = client_of(desk, "trader")
    shown = client.get(f"/cells/{cell.pk}/?tab=timeline&at={typed}").content.decode().partition('id="tab-panel"')[2]
    first_row = shown.partition("<tbody>")[2].partition("</tr>")[0]
    assert said in (first_row or shown)
    assert "Said at" in first_row or not first_row


def test_the_cell_was_last_asked_at_the_end_of_its_row(desk: Desk, cell: Cell) -> None:
    last = looks(desk, 20)
    (view,) = cell_views(cell_rows([desk.portfolio]))
    assert view.last is not None
    assert view.last.as_of == last


def test_a_cell_that_no_quote_ever_came_of_is_refused_each_look_and_told_once(desk: Desk, cell: Cell) -> None:
    silent = open_cell(desk.portfolio, "AAPL")
    for number in range(90):
        tick(desk.portfolio, {"IBM": 100}, OPEN + number * SECOND)
    row = Evaluation.objects.get(cell=silent)
    assert (row.action, row.reason, row.looks, row.source) == ("SKIP", "stale_price", 90, "opening price")
    assert row.sentence == (
        "Not asked: no quote of AAPL that can be believed has ever come from synthetic; "
        "its last known price is 100.00, of the cell's opening."
    )
    (told,) = Event.objects.filter(kind="cell.unquoted")
    assert (told.subject, told.after["source"]) == (f"cell:{silent.pk}", "synthetic")
    notes = [note.text for note in price_attention(cell_views(cell_rows([desk.portfolio])))]
    assert notes == ["AAPL: no price has come from synthetic yet."]
    assert silent.daily_marks.count() == 0
    tick(desk.portfolio, {"IBM": 100, "AAPL": 100}, OPEN + 100 * SECOND)
    assert Evaluation.objects.filter(cell=silent).latest("id").reason == "inside_band"


def test_a_cell_whose_quote_is_known_and_not_given_now_is_left_to_the_next_look(desk: Desk, cell: Cell) -> None:
    other = open_cell(desk.portfolio, "AAPL")
    tick(desk.portfolio, {"IBM": 100, "AAPL": 100})
    tick(desk.portfolio, {"IBM": 100}, OPEN + SECOND)
    assert Evaluation.objects.filter(cell=other).count() == 1
    assert not Event.objects.filter(kind="cell.unquoted").exists()
