"""The protective stop and orders in slices, live: ticks, fills, the anchor, halts, restarts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from portfolios.models import Cell, Event, Portfolio, TradingRestriction
from portfolios.services.cells import cell_halt, cell_pause, cell_resume
from portfolios.services.origin import Origin
from portfolios.services.parameters import parameters_change
from portfolios.services.restrictions import restriction_place
from portfolios.standings import place_of
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, fresh, open_cell, tick
from trading.models import Evaluation, Order, OrderPlan, Quote
from trading.services.dispatch import slices_due
from trading.services.order_cancels import order_cancel
from trading.services.order_plans import plan_cancel
from trading.services.orders import orders_send
from volbal.common.errors import Refused

pytestmark = pytest.mark.django_db

# 100 shares and 10,000.00 at 100: at 110 it sells (100/110 − 1)·1·21,000/110 = −17.36, in whole shares 17, of 1,870.00.
RULE = {
    "trigger_up": 0.09, "trigger_down": 0.1, "rebalance_ratio": 1.0, "quantity_step": 1.0, "slice_notional": 700.0,
    "slice_interval_seconds": 60,
}  # fmt: skip


def sliced(desk: Desk, **changes: Any) -> Cell:
    return open_cell(desk.portfolio, cash=Decimal(10_000), shares=Decimal(100), parameters={**RULE, **changes})


def look(desk: Desk, price: str, minute: int, *, fill: bool = True) -> Evaluation:
    """Tick so many minutes after the first, send what it ordered and return the newest evaluation."""
    moment = OPEN + dt.timedelta(minutes=minute)
    with time_machine.travel(moment, tick=False):
        tick(desk.portfolio, {"IBM": price}, moment)
        if fill:
            orders_send(account_id=desk.account.pk)
    return Evaluation.objects.order_by("id").last()


def slices() -> list[tuple[int | None, str, Decimal, str]]:
    return [(one.slice_number, one.side, one.quantity, one.status) for one in Order.objects.order_by("id")]


def test_slices_go_out_one_an_interval_and_the_anchor_moves_with_the_last(desk: Desk) -> None:
    cell = sliced(desk)
    look(desk, "110", 0)
    plan = OrderPlan.objects.get()
    assert (plan.quantity, plan.slice_count, plan.slice_quantity, plan.submitted) == (17, 3, 5, 1)
    assert (fresh(cell).anchor, fresh(cell).sold_since_anchor, fresh(cell).orders_today) == (100, 5, 1)
    look(desk, "112", 1)
    look(desk, "111", 2)
    assert slices() == [(1, "SELL", 5, "filled"), (2, "SELL", 5, "filled"), (3, "SELL", 7, "filled")]
    plan.refresh_from_db()
    assert (plan.status, plan.ended_because, plan.filled_quantity) == ("ended", "all its slices are filled", 17)
    # (5·110 + 5·112 + 7·111) / 17
    assert fresh(cell).anchor == Decimal("111.000000")
    assert (fresh(cell).sold_since_anchor, fresh(cell).orders_today) == (0, 1)
    assert set(Order.objects.values_list("purpose", flat=True)) == {"slice"}
    assert Event.objects.filter(kind="order_plan.ended").count() == 1


def test_between_two_slices_the_cell_is_not_asked(desk: Desk) -> None:
    sliced(desk, slice_interval_seconds=120)
    look(desk, "110", 0)
    assert look(desk, "110", 1).reason == "order_in_flight"
    assert look(desk, "110", 2).action == "SELL"
    assert [number for number, *_ in slices()] == [1, 2]


def test_a_slice_waits_for_the_one_before(desk: Desk) -> None:
    sliced(desk)
    look(desk, "110", 0, fill=False)
    assert look(desk, "110", 1, fill=False).reason == "order_in_flight"
    assert OrderPlan.objects.get().is_working
    assert len(slices()) == 1


def test_a_slice_whose_price_moved_before_it_was_sent_is_decided_anew(desk: Desk) -> None:
    """The first counts once for the day all the same, and no number of a slice goes out twice."""
    cell = sliced(desk)
    look(desk, "110", 0, fill=False)
    Quote.objects.update(price=Decimal("111"), reference=Decimal("111"))
    with time_machine.travel(OPEN, tick=False):
        orders_send(account_id=desk.account.pk)
    (first,) = Order.objects.all()
    assert (first.status, first.slice_number, fresh(cell).orders_today) == ("cancelled", None, 0)
    assert first.status_detail == "The price went from 110 to 111 (91 bps) before it was sent; the rule is asked again."
    plan = OrderPlan.objects.get()
    assert (plan.status, plan.submitted) == ("working", 0)
    look(desk, "112", 1)
    look(desk, "112", 2)
    assert [one for one in slices() if one[3] == "filled"] == [(1, "SELL", 5, "filled"), (2, "SELL", 5, "filled")]
    assert fresh(cell).orders_today == 1
    look(desk, "105", 3, fill=False)
    assert OrderPlan.objects.get().status == "ended"


def test_a_slice_that_moved_ends_with_its_order_where_the_rule_says_no(desk: Desk) -> None:
    cell = sliced(desk)
    look(desk, "110", 0, fill=False)
    Quote.objects.update(price=Decimal("105"), reference=Decimal("105"))
    with time_machine.travel(OPEN, tick=False):
        orders_send(account_id=desk.account.pk)
    look(desk, "105", 1)
    assert (OrderPlan.objects.get().status, fresh(cell).shares, fresh(cell).anchor) == ("ended", 100, 100)


def test_a_protective_stop_is_sent_whatever_the_price_has_become(desk: Desk) -> None:
    """It sells at market in any case; asked again it would only wait while the price falls on."""
    cell = sliced(desk, stop_loss=0.05)
    look(desk, "94", 0, fill=False)
    Quote.objects.update(price=Decimal("90"), reference=Decimal("90"))
    with time_machine.travel(OPEN, tick=False):
        orders_send(account_id=desk.account.pk)
    order = Order.objects.get()
    assert (order.purpose, order.status, fresh(cell).shares) == ("stop", "filled", 0)


def test_without_its_signal_the_order_ends_and_less_than_half_leaves_the_anchor(desk: Desk) -> None:
    cell = sliced(desk)
    look(desk, "110", 0)
    last = look(desk, "105", 1)
    assert (last.action, last.reason) == ("HOLD", "inside_band")
    plan = OrderPlan.objects.get()
    assert plan.status == "ended"
    assert plan.ended_because.startswith("Held: 105.00 is 5.00 % over the anchor")
    assert (fresh(cell).anchor, fresh(cell).sold_since_anchor) == (100, 5)
    # What was sold is taken off: 17 less 5 are two slices of 6.
    look(desk, "110", 2)
    assert OrderPlan.objects.order_by("id").last().quantity == 12


def test_with_half_filled_the_anchor_moves_when_the_signal_goes(desk: Desk) -> None:
    cell = sliced(desk)
    look(desk, "110", 0)
    look(desk, "112", 1)
    look(desk, "108", 2)
    assert fresh(cell).anchor == 111
    assert OrderPlan.objects.get().filled_quantity == 10


@pytest.mark.parametrize("halt", ["halt", "pause"])
def test_a_halt_ends_the_order(desk: Desk, halt: str) -> None:
    cell = sliced(desk)
    look(desk, "110", 0)
    if halt == "halt":
        cell_halt(cell=fresh(cell), origin=Origin(task="test", reason="looks wrong"))
    else:
        cell_pause(cell=fresh(cell), origin=BY_TEST)
    look(desk, "110", 1)
    plan = OrderPlan.objects.get()
    assert (plan.status, len(slices())) == ("ended", 1)
    assert plan.ended_because in ("not asked: halted", "the cell is paused")


def test_the_close_ends_the_order(desk: Desk) -> None:
    sliced(desk)
    look(desk, "110", 0)
    after_the_close = 6 * 60
    assert look(desk, "110", after_the_close).reason == "market_closed"
    assert OrderPlan.objects.get().ended_because == "not asked: market closed"


def test_the_next_day_ends_the_order_before_anything_else(desk: Desk) -> None:
    sliced(desk)
    look(desk, "110", 0)
    look(desk, "105", 24 * 60)
    assert OrderPlan.objects.get().ended_because == "the close of its day"


def test_a_slice_that_is_cancelled_ends_the_order(desk: Desk) -> None:
    cell = sliced(desk)
    look(desk, "110", 0, fill=False)
    with time_machine.travel(OPEN, tick=False):
        assert order_cancel(order=Order.objects.get(), detail="a test said so")
    plan = OrderPlan.objects.get()
    assert plan.ended_because == "slice 1 was cancelled: a test said so"
    assert fresh(cell).anchor == 100


def test_a_person_ends_the_order_for_a_reason(desk: Desk) -> None:
    sliced(desk)
    look(desk, "110", 0)
    plan = OrderPlan.objects.get()
    with pytest.raises(Refused, match="reason"):
        plan_cancel(plan=plan, as_of=OPEN, origin=by_owner(desk, ""))
    plan_cancel(plan=plan, as_of=OPEN, origin=by_owner(desk, "enough sold"))
    assert OrderPlan.objects.get().ended_because == "cancelled: enough sold"
    with pytest.raises(Refused, match="has ended"):
        plan_cancel(plan=plan, as_of=OPEN, origin=by_owner(desk))


def test_a_slice_goes_out_once(desk: Desk) -> None:
    sliced(desk)
    look(desk, "110", 0)
    order = Order.objects.get()
    order.pk, order.client_order_id, order.evaluation = None, "again", None
    with pytest.raises(IntegrityError), transaction.atomic():
        order.save(force_insert=True)
    assert look(desk, "110", 0).pk == Evaluation.objects.order_by("id").last().pk
    assert len(slices()) == 1


def test_a_due_slice_wakes_its_portfolio(desk: Desk) -> None:
    sliced(desk)
    look(desk, "110", 0)
    with time_machine.travel(OPEN + dt.timedelta(seconds=59), tick=False):
        assert slices_due() == []
    with time_machine.travel(OPEN + dt.timedelta(seconds=61), tick=False):
        assert [(due.portfolio_id, due.due) for due in slices_due()] == [
            (desk.portfolio.pk, OPEN + dt.timedelta(seconds=60))
        ]
        Portfolio.objects.update(is_archived=True)
        assert slices_due() == []


def test_the_protective_stop_sells_everything_and_halts(desk: Desk) -> None:
    cell = sliced(desk, stop_loss=0.12, max_orders_per_day=1, min_notional=1e6)
    last = look(desk, "88", 0)
    assert (last.action, last.reason) == ("SELL", "stop_loss")
    order = Order.objects.get()
    assert (order.purpose, order.type, order.quantity, order.status) == ("stop", "market", 100, "filled")
    assert (fresh(cell).shares, fresh(cell).cash) == (0, Decimal("18799.12"))
    restriction = TradingRestriction.objects.get()
    assert restriction.reason == "The protective stop sold 100 shares at 88.00."
    assert look(desk, "130", 1).reason == "halted"
    cell_resume(cell=fresh(cell), origin=by_owner(desk))
    assert look(desk, "70", 2).reason != "halted"


def test_the_stop_ends_an_order_in_slices_between_two_of_them(desk: Desk) -> None:
    sliced(desk, stop_loss=0.12, slice_interval_seconds=600, slice_notional=500.0)
    look(desk, "90", 0)
    look(desk, "85", 1)
    assert OrderPlan.objects.get().ended_because == "the protective stop struck"
    assert Order.objects.order_by("id").last().purpose == "stop"
    assert fresh(Cell.objects.get()).shares == 0


def test_a_stop_that_sold_nothing_strikes_again(desk: Desk) -> None:
    sliced(desk, stop_loss=0.12)
    look(desk, "88", 0, fill=False)
    with time_machine.travel(OPEN, tick=False):
        order_cancel(order=Order.objects.get(), detail="a test said so")
    assert not TradingRestriction.objects.exists()
    look(desk, "88", 1)
    assert [order.status for order in Order.objects.order_by("id")] == ["cancelled", "filled"]


def test_parameters_of_stops_and_slices_are_kept_as_versions(desk: Desk) -> None:
    cell = sliced(desk)
    version = parameters_change(cell=cell, values={"stop_loss": 0.2, "slice_notional": None}, origin=BY_TEST)
    assert (version.stop_loss, version.slice_notional) == (Decimal("0.2"), None)


@pytest.mark.parametrize("price,side,count", [("110", "SELL", 2), ("90", "BUY", 1)])
def test_where_only_reducing_is_allowed_slices_that_sell_go_on_and_those_that_buy_end(
    desk: Desk, price: str, side: str, count: int
) -> None:
    cell = sliced(desk)
    look(desk, price, 0)
    restriction_place(on=place_of(cell), state="reducing", origin=Origin(reason="a drill"))
    look(desk, price, 1)
    assert [one.side for one in Order.objects.all()] == [side] * count
    assert OrderPlan.objects.get().is_working is (side == "SELL")
