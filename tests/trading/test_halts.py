"""Halts and orders to reduce: the strictest wins, nothing slips past one, and only a person with a reason lifts it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from portfolios.models import Cell, Event, TradingRestriction
from portfolios.services import (
    Origin,
    cell_archive,
    cell_halt,
    cell_pause,
    cell_resume,
    cell_start,
    place_resume,
    restriction_lift,
    restriction_place,
)
from portfolios.standings import STRICTNESS, TradingState, broker_place, everywhere, place_of, standing_under
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, fresh, make_desk, only_order, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.models import Evaluation, Order
from trading.services.halts import place_restrict
from trading.services.orders import orders_send
from trading.services.reach import reaches
from trading.services.restrictions import reducing_decision, trading_states
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant, tenant_scope
from volbal.strategy import CellState, StrategyParameters, decide

MINUTE = dt.timedelta(minutes=1)
DRILL = Origin(task="drill", reason="a drill")


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(OPEN, tick=False):
        yield


def state_of(cell: Cell) -> str:
    return trading_states([fresh(cell)])[cell.pk].state


def newest(cell: Cell) -> Evaluation:
    return Evaluation.objects.filter(cell=cell).latest("id")


def test_a_halted_cell_resumes_only_by_a_person_with_a_reason(desk: Desk, cell: Cell) -> None:
    cell_halt(cell=cell, origin=Origin(reason="the price looks wrong"))
    for nobody in (Origin(reason="it is fine"), Origin(task="night shift", reason="it is fine")):
        with pytest.raises(Refused, match="Only a person resumes"):
            cell_resume(cell=cell, origin=nobody)
    with pytest.raises(Refused, match="needs a reason"):
        cell_resume(cell=cell, origin=by_owner(desk, " "))
    assert state_of(cell) == "halted"
    cell_resume(cell=cell, origin=by_owner(desk, "the exchange corrected it"))
    assert state_of(cell) == "active"
    kept = TradingRestriction.objects.get()
    assert (kept.reason, kept.lifted_reason) == ("the price looks wrong", "the exchange corrected it")
    assert kept.lifted_by is not None
    assert [event.kind for event in Event.objects.filter(subject=f"cell:{cell.pk}").order_by("id")][-2:] == [
        "cell.halted",
        "cell.resumed",
    ]


def test_a_halt_keeps_its_first_reason_and_a_second_person_changes_nothing(desk: Desk, cell: Cell) -> None:
    first = restriction_place(on=place_of(cell), state="halted", origin=Origin(reason="first"))
    again = restriction_place(on=place_of(cell), state="halted", origin=Origin(reason="second"))
    assert (again.pk, again.reason) == (first.pk, "first")
    with pytest.raises(Refused, match="needs a reason"):
        restriction_place(on=place_of(desk.portfolio), state="halted", origin=Origin())


def test_resuming_one_level_leaves_the_others(desk: Desk, cell: Cell) -> None:
    places = [place_of(cell), place_of(desk.portfolio), place_of(desk.account), place_of(desk.tenant)]
    for place in places:
        restriction_place(on=place, state="halted", origin=DRILL)
    for place in places:
        assert state_of(cell) == "halted"
        place_resume(on=place, origin=by_owner(desk))
    assert state_of(cell) == "active"
    with pytest.raises(Refused, match="neither halted nor reducing"):
        place_resume(on=places[0], origin=by_owner(desk))


def test_what_was_placed_while_a_person_read_the_page_is_not_lifted_unseen(desk: Desk, cell: Cell) -> None:
    seen = restriction_place(on=place_of(cell), state="halted", origin=DRILL)
    restriction_place(on=place_of(cell), state="halted", origin=Origin(reason="a fault"), cause="drawdown")
    cell_resume(cell=cell, origin=by_owner(desk), seen=[seen.pk])
    assert [one.cause for one in trading_states([fresh(cell)])[cell.pk].held_by] == ["drawdown"]
    with pytest.raises(Refused, match="any more"):
        restriction_lift(restriction=seen, origin=by_owner(desk))


def test_a_broker_and_everything_are_halted_for_all_firms(desk: Desk, cell: Cell) -> None:
    south = make_desk("south")
    with tenant_scope(south.tenant.pk):
        theirs = open_cell(south.portfolio)
    with every_tenant():
        at_broker = restriction_place(on=broker_place("paper"), state="reducing", origin=DRILL)
        restriction_place(on=broker_place("alpaca"), state="halted", origin=DRILL)
    for firm, one in ((desk, cell), (south, theirs)):
        with tenant_scope(firm.tenant.pk):
            assert state_of(one) == "reducing"
    with every_tenant():
        restriction_place(on=everywhere(), state="halted", origin=DRILL)
        restriction_lift(restriction=at_broker, origin=by_owner(desk))
        assert {state_of(cell), state_of(theirs)} == {"halted"}


def test_a_halted_cell_that_was_paused_stays_paused_when_resumed(desk: Desk, cell: Cell) -> None:
    cell_pause(cell=cell, origin=BY_TEST)
    cell_halt(cell=cell, origin=DRILL)
    with pytest.raises(Refused, match="is halted: a drill"):
        cell_start(cell=fresh(cell), origin=BY_TEST)
    cell_resume(cell=fresh(cell), origin=by_owner(desk))
    assert (fresh(cell).status, state_of(cell)) == ("paused", "active")


def test_a_halt_ends_with_what_is_put_away(cell: Cell) -> None:
    cell_halt(cell=cell, origin=DRILL)
    cell_archive(cell=cell_pause(cell=cell, origin=BY_TEST), origin=BY_TEST)
    assert TradingRestriction.objects.get().lifted_reason == "put away: because the test says so"
    cell_halt(cell=cell, origin=DRILL)
    assert TradingRestriction.objects.count() == 1


@given(states=st.lists(st.sampled_from(["halted", "reducing"]), max_size=6))
def test_the_strictest_wins(states: list[str]) -> None:
    levels = TradingRestriction.Level.values
    rows = [
        TradingRestriction(pk=number, level=levels[number], state=state, reason=f"{number}")
        for number, state in enumerate(states)
    ]
    standing = standing_under(rows)
    assert standing.state == max(map(TradingState, ["active", *states]), key=STRICTNESS.__getitem__)
    assert set(standing.held_by) == set(rows)
    assert [one.state for one in standing.held_by] == sorted(states)  # halted before reducing


@given(
    shares=st.floats(0, 1_000),
    cash=st.floats(0, 100_000),
    price=st.floats(1, 500),
    anchor=st.floats(1, 500),
    low=st.floats(0, 0.5),
    width=st.floats(0.05, 0.5),
)
def test_reducing_never_buys_and_never_increases_the_distance_to_the_band(
    shares: float, cash: float, price: float, anchor: float, low: float, width: float
) -> None:
    rule = StrategyParameters(min_stock=low, max_stock=low + width, max_trade_fraction=1.0, min_notional=0.0)
    left = reducing_decision(decide(price, CellState(cash, shares, anchor), rule), min_stock=low, max_stock=low + width)
    assert left.action != "BUY"
    if left.action == "SELL":
        before, after = left.stock_share, left.stock_share_after
        assert before is not None
        assert after is not None
        high = low + width
        assert max(low - after, after - high, 0) <= max(low - before, before - high, 0) + 1e-9


def test_a_reducing_cell_sells_and_its_buys_wait_with_the_reason(desk: Desk, cell: Cell) -> None:
    restriction_place(on=place_of(desk.portfolio), state="reducing", origin=DRILL)
    tick(desk.portfolio, {"IBM": 96})
    kept = newest(cell)
    assert (kept.action, kept.reason, kept.signal, Order.objects.count()) == ("SKIP", "reducing", 1, 0)
    assert kept.quantity > 0
    assert "the rule would buy" in kept.sentence
    tick(desk.portfolio, {"IBM": 104}, OPEN + MINUTE)
    assert (newest(cell).action, only_order().side) == ("SELL", "SELL")


def test_a_halt_between_writing_and_sending_is_obeyed_and_the_order_says_so(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    restriction_place(on=place_of(told_desk.tenant), state="halted", origin=DRILL, cancels_orders=False)
    orders_send(account_id=told_desk.account.pk)
    assert broker.requests == []
    assert (only_order().status, only_order().status_detail) == (
        "cancelled",
        "not sent: trading is halted here: a drill",
    )


def test_a_halt_that_comes_while_orders_are_sent_stops_those_still_waiting(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    open_cell(told_desk.portfolio, "AAPL")
    tick(told_desk.portfolio, {"IBM": 104, "AAPL": 104})
    place = place_of(told_desk.portfolio)
    broker.during_submit = lambda: restriction_place(on=place, state="halted", origin=DRILL) and None
    orders_send(account_id=told_desk.account.pk)
    assert [request.symbol for request in broker.requests] == ["IBM"]
    orders_send(account_id=told_desk.account.pk)
    assert broker.cancelled == [broker.requests[0].client_order_id]
    assert {order.status for order in Order.objects.all()} == {"cancelled"}


@pytest.mark.parametrize("state,cancels", list(product(["halted", "reducing"], [True, False])))
@pytest.mark.parametrize("price,side", [(96, "BUY"), (104, "SELL")])
def test_a_halt_cancels_what_it_forbids_where_that_was_chosen(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, price: int, side: str, state: str, cancels: bool
) -> None:
    tick(told_desk.portfolio, {"IBM": price})
    orders_send(account_id=told_desk.account.pk)
    assert only_order().side == side
    place_restrict(on=place_of(told_cell), state=state, origin=DRILL, cancels_orders=cancels)
    orders_send(account_id=told_desk.account.pk)
    forbidden = state == "halted" or side == "BUY"
    assert only_order().status == ("cancelled" if cancels and forbidden else "accepted")
    assert ("a drill" in only_order().status_detail) is (cancels and forbidden)


def test_an_intent_to_buy_is_not_sent_once_only_reducing_is_allowed(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    tick(told_desk.portfolio, {"IBM": 96})
    restriction_place(on=place_of(told_cell), state="reducing", origin=DRILL)
    orders_send(account_id=told_desk.account.pk)
    assert (broker.requests, only_order().status) == ([], "cancelled")


def test_a_halt_says_beforehand_what_it_reaches(told_desk: Desk, told_cell: Cell, broker: StandInBroker) -> None:
    tick(told_desk.portfolio, {"IBM": 96})
    orders_send(account_id=told_desk.account.pk)
    assert [str(one) for one in reaches([place_of(told_desk.account), broker_place("paper")])] == [
        "Account Main: 1 active cell, 1 open order, of these 1 to buy",
        "Broker paper: 0 active cells, 0 open orders, of these 0 to buy",
    ]


def test_a_cell_below_zero_stands_still_and_does_not_stop_the_others(desk: Desk, cell: Cell) -> None:
    other = open_cell(desk.portfolio, "AAPL")
    Cell.objects.filter(pk=cell.pk).update(cash=Decimal("-0.01"))
    tick(desk.portfolio, {"IBM": 104, "AAPL": 104})
    assert (newest(cell).reason, newest(other).reason) == ("halted", "trigger_up")


def test_the_states_of_all_cells_of_a_tick_take_one_query(
    desk: Desk, cell: Cell, django_assert_num_queries: object
) -> None:
    cells = [fresh(cell), fresh(open_cell(desk.portfolio, "AAPL"))]
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django's fixture
        trading_states(cells)
    assert trading_states([]) == {}


def test_a_halt_wakes_the_senders_of_what_it_cancels_once_it_is_committed(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, django_capture_on_commit_callbacks: Any
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    with django_capture_on_commit_callbacks() as waiting:
        place_restrict(on=place_of(told_desk.portfolio), state="halted", origin=DRILL)
    assert broker.cancelled == []
    for callback in waiting:
        callback()
    assert broker.cancelled == [only_order().client_order_id]
    assert only_order().status == "cancelled"


def test_a_halt_that_leaves_orders_alone_wakes_nobody(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, django_capture_on_commit_callbacks: Any
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    with django_capture_on_commit_callbacks(execute=True):
        place_restrict(on=place_of(told_desk.portfolio), state="halted", origin=DRILL, cancels_orders=False)
    assert (broker.cancelled, only_order().status) == ([], "accepted")
