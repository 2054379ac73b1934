"""The last look at a claimed order before it goes out, and what comes between it and the claim."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from portfolios.models import Cell, Portfolio
from portfolios.services import restriction_place
from portfolios.standings import place_of
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, fresh, only_order, quote, tick
from trading.models import Order
from trading.services.order_states import order_move, orders_claim
from trading.services.pricing import prices_judge
from trading.services.submission import look_at, may_be_sent

S = Order.Status
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def claimed(told_desk: Desk, told_cell: Cell) -> Order:
    """An order to sell that a sender has claimed and not sent yet."""
    tick(told_desk.portfolio, {"IBM": 104})
    rows = Order.objects.select_related("account", "cell__instrument", "cell__parameters", "cell__portfolio__account")
    (order,) = orders_claim(list(rows), S.SUBMITTING)
    return order


def goes_out(order: Order) -> bool:
    return may_be_sent(order=order, look=look_at([order]))


def test_as_it_stands_it_goes_out(claimed: Order) -> None:
    assert goes_out(claimed)
    assert only_order().status == S.SUBMITTING


def test_one_whose_session_closed_after_the_claim_expires(claimed: Order, clock: time_machine.Traveller) -> None:
    assert claimed.expires_at is not None
    clock.move_to(claimed.expires_at)
    assert not goes_out(claimed)
    assert (only_order().status, only_order().status_detail) == (S.EXPIRED, "not sent before the close")


def test_a_halt_after_the_claim_ends_it_unsent(claimed: Order) -> None:
    restriction_place(on=place_of(claimed.cell.portfolio), state="halted", origin=BY_TEST)
    assert not goes_out(claimed)
    assert only_order().status == S.CANCELLED
    assert "trading is halted here" in only_order().status_detail


def test_a_price_that_moved_after_the_claim_asks_the_rule_again_at_once(
    claimed: Order, clock: time_machine.Traveller
) -> None:
    Portfolio.objects.update(next_tick_at=OPEN + dt.timedelta(minutes=1))
    clock.shift(1)
    moment = OPEN + dt.timedelta(seconds=1)
    prices_judge(quotes=[quote(claimed.cell.instrument, "104.5", moment)], as_of=moment)
    assert not goes_out(claimed)
    assert only_order().status == S.CANCELLED
    assert "(48 bps) before it was sent" in only_order().status_detail
    assert Portfolio.objects.get().next_tick_at == moment
    assert fresh(claimed.cell).orders_today == 0, "what was not sent does not count among the day's orders"


@pytest.mark.parametrize("cause", ["halt", "price"])
def test_one_that_another_process_moved_meanwhile_is_not_sent_and_left_to_it(
    claimed: Order, clock: time_machine.Traveller, cause: str
) -> None:
    order_move(Order.objects.get(pk=claimed.pk), S.UNKNOWN, detail="its sender went away")
    if cause == "halt":
        restriction_place(on=place_of(claimed.cell), state="halted", origin=BY_TEST)
    else:
        clock.shift(1)
        moment = OPEN + dt.timedelta(seconds=1)
        prices_judge(quotes=[quote(claimed.cell.instrument, 105, moment)], as_of=moment)
    assert not goes_out(claimed)
    assert (only_order().status, only_order().status_detail) == (S.UNKNOWN, "its sender went away")
