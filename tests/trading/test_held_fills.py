"""Fills that belong to no order of ours wait for a person, who adopts, re-anchors or ignores each once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import Cell, Event, TradingRestriction
from portfolios.selectors import reconcile
from portfolios.services.cells import cell_archive
from portfolios.services.origin import Origin
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, fresh, make_desk, open_cell
from tests.trading.standin import StandInBroker
from trading.models import Fill, HeldFill, HeldFillResolution, Order
from trading.selectors.attention import report_attention
from trading.services.fills import fill_book
from trading.services.held_fills import held_fill_adopt, held_fill_ignore
from volbal.common.errors import Refused
from volbal.common.tenancy import tenant_scope

BY_PERSON = Origin(reason="bought at the broker's own page")


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(OPEN, tick=False):
        yield


def hold(desk: Desk, broker: StandInBroker, quantity: str = "4", price: str = "90", **told: Any) -> HeldFill:
    commission = told.pop("commission", None)
    options = {"symbol": "IBM", "side": "BUY", "broker_order_id": "B7"} | told
    report = broker.fill("", quantity, price, commission=commission, **options)
    assert fill_book(account=desk.account, report=report) is None
    return HeldFill.objects.get(broker_fill_id=report.broker_fill_id)


def test_an_adopted_fill_moves_money_shares_and_anchor_by_the_normal_path(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    held = hold(told_desk, broker)
    made = held_fill_adopt(held=held, cell=told_cell, origin=BY_PERSON)
    order, cell = Order.objects.get(), fresh(told_cell)
    assert (order.purpose, order.status, order.quantity, order.note) == (
        "adopted", "filled", 4, "bought at the broker's own page",
    )  # fmt: skip
    # 4 · 90 and a ten-thousandth of it.
    assert (cell.cash, cell.shares, cell.anchor) == (Decimal("4639.96"), 54, 90)
    assert (made.decision, made.fill) == ("adopt", Fill.objects.get())
    assert Event.objects.filter(kind="fill.adopted", reason=BY_PERSON.reason).count() == 1
    assert reconcile() == []


def test_the_same_decision_again_changes_nothing(told_desk: Desk, broker: StandInBroker, told_cell: Cell) -> None:
    held = hold(told_desk, broker)
    first = held_fill_adopt(held=held, cell=told_cell, origin=BY_PERSON)
    again = held_fill_adopt(held=held, cell=told_cell, origin=BY_PERSON)
    assert (first, Fill.objects.count(), Event.objects.filter(kind="fill.adopted").count()) == (again, 1, 1)
    with pytest.raises(Refused, match="was adopted on 2024-03-07"):
        held_fill_ignore(held=held, origin=BY_PERSON)
    assert fill_book(account=told_desk.account, report=broker.reports[0]) is None
    assert HeldFill.objects.count() == 1


def test_parts_of_one_order_at_the_broker_share_its_commission_and_its_mean_price(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    first = hold(told_desk, broker, "1", "90", commission=Decimal("1.00"))
    second = hold(told_desk, broker, "3", "94", commission=Decimal("0.20"))
    for held in (first, second):
        held_fill_adopt(held=held, cell=told_cell, origin=BY_PERSON)
    order = Order.objects.get()
    assert (order.quantity, order.filled_quantity, order.commission, order.is_overfilled) == (
        4, 4, Decimal("1.20"), False,
    )  # fmt: skip
    assert (fresh(told_cell).anchor, fresh(told_cell).cash) == (93, 5000 - 90 - 282 - Decimal("1.20"))


def test_parts_adopted_by_two_cells_pay_the_commission_once(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    other = open_cell(told_desk.portfolio, name="second")
    first = hold(told_desk, broker, "1", "90", commission=Decimal("1.00"))
    second = hold(told_desk, broker, "3", "94", commission=Decimal("0.20"))
    held_fill_adopt(held=first, cell=told_cell, origin=BY_PERSON)
    held_fill_adopt(held=second, cell=other, origin=BY_PERSON)
    assert sorted(Order.objects.values_list("commission", flat=True)) == [Decimal("0.20"), Decimal("1.00")]


def test_re_anchoring_sets_the_anchor_to_this_fills_own_price(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    held_fill_adopt(held=hold(told_desk, broker, "1", "90"), cell=told_cell, origin=BY_PERSON)
    held_fill_adopt(held=hold(told_desk, broker, "3", "94"), cell=told_cell, origin=BY_PERSON, re_anchor=True)
    cell = fresh(told_cell)
    assert (cell.anchor, cell.shares, cell.bought_since_anchor) == (94, 54, 0)
    assert Event.objects.filter(kind="cell.anchor_set", reason=BY_PERSON.reason).exists()


def test_an_ignored_fill_moves_nothing_and_is_kept_with_the_reason(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    held, before = hold(told_desk, broker), fresh(told_cell)
    for _ in range(2):
        held_fill_ignore(held=held, origin=Origin(reason="another program's account"))
    assert (fresh(told_cell).version, Fill.objects.count()) == (before.version, 0)
    assert HeldFillResolution.objects.get().reason == "another program's account"
    assert report_attention() == []


def test_what_waits_is_told_to_the_trader(told_desk: Desk, broker: StandInBroker, told_cell: Cell) -> None:
    hold(told_desk, broker)
    assert [note.text for note in report_attention()] == ["Main: 1 fill without an order of ours. Adopt or ignore."]


def test_a_fill_is_adopted_only_where_it_belongs(told_desk: Desk, broker: StandInBroker, told_cell: Cell) -> None:
    held = hold(told_desk, broker)
    other = open_cell(told_desk.portfolio, "AAPL")
    with pytest.raises(Refused, match="AAPL holds AAPL, the fill is of IBM"):
        held_fill_adopt(held=held, cell=other, origin=BY_PERSON)
    archived = cell_archive(cell=open_cell(told_desk.portfolio, name="old", started=False), origin=BY_TEST)
    with pytest.raises(Refused, match="archived"):
        held_fill_adopt(held=held, cell=archived, origin=BY_PERSON)
    with pytest.raises(Refused, match="needs a reason"):
        held_fill_adopt(held=held, cell=told_cell, origin=Origin())
    south = make_desk("south")
    with tenant_scope(south.tenant.pk):
        foreign = open_cell(south.portfolio)
    with pytest.raises(Cell.DoesNotExist):
        held_fill_adopt(held=held, cell=foreign, origin=BY_PERSON)
    assert not HeldFillResolution.objects.exists()


def test_an_adopted_fill_that_leaves_the_cell_below_zero_halts_it(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    held_fill_adopt(held=hold(told_desk, broker, "60", "90"), cell=told_cell, origin=BY_PERSON)
    assert fresh(told_cell).cash < 0
    assert TradingRestriction.objects.get(cell=told_cell).state == TradingRestriction.State.HALTED
