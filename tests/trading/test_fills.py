"""What a broker reports is booked once, as it is, whatever it does to the cell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from itertools import permutations

import pytest
import time_machine

from portfolios.models import Cell, Event, LedgerEntry, TradingRestriction
from portfolios.selectors import reconcile
from portfolios.services import cell_halt, cell_pause
from portfolios.services.cells import cell_archive
from portfolios.services.origin import Origin
from portfolios.standings import trading_states
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, fresh, only_order, tick
from tests.trading.standin import StandInBroker
from trading.models import DailyMark, Evaluation, Fill, FillCursor, HeldFill, Order
from trading.services.fills import fill_book
from trading.services.live import portfolio_update
from trading.services.orders import orders_send

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def clock() -> Iterator[None]:
    with time_machine.travel(OPEN, tick=False):
        yield


@pytest.fixture
def sale(told_desk: Desk, told_cell: Cell) -> Order:
    """An accepted order to sell 6.287107 at 104."""
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    return only_order()


@pytest.fixture
def purchase(told_desk: Desk, told_cell: Cell) -> Order:
    """An accepted order to buy at 96, with a limit half a percent beyond."""
    tick(told_desk.portfolio, {"IBM": 96})
    orders_send(account_id=told_desk.account.pk)
    return only_order()


def books() -> tuple[object, ...]:
    """Return everything that a report could change, but for how far reports were read."""
    tables = (LedgerEntry, Fill, Event, Order, Cell, DailyMark)
    return tuple(list(table.objects.order_by("pk").values()) for table in tables)


def test_the_same_report_again_changes_nothing(told_desk: Desk, broker: StandInBroker, sale: Order) -> None:
    report = broker.fill(sale.client_order_id, sale.quantity, 104)
    assert len(orders_send(account_id=told_desk.account.pk)) == 1
    before = books()
    assert orders_send(account_id=told_desk.account.pk) == []
    assert fill_book(account=told_desk.account, report=report) is None
    FillCursor.objects.update(position=0)
    assert orders_send(account_id=told_desk.account.pk) == []
    assert books() == before
    assert FillCursor.objects.get().position == report.cursor


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_parts_in_any_order_come_to_the_same(
    told_desk: Desk, broker: StandInBroker, sale: Order, order: tuple[int, ...]
) -> None:
    parts = [("1", "104.01"), ("2.5", "103.99"), ("2.787107", "104")]
    reports = [broker.fill(sale.client_order_id, quantity, price) for quantity, price in parts]
    for index in (*order, *order):
        fill_book(account=told_desk.account, report=reports[index])
    cell = fresh(sale.cell)
    # 104.01 + 259.975 + 289.859128 = 653.844128; a ten-thousandth of 653.84 is 0.07; the mean is 103.997614…
    assert (cell.cash, cell.shares) == (Decimal("5653.77"), Decimal("43.712893"))
    assert (cell.anchor, only_order().status) == (Decimal("103.997614"), "filled")
    assert Fill.objects.count() == 3
    assert reconcile() == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_commission_told_with_each_part_adds_up_whatever_comes_first(
    told_desk: Desk, broker: StandInBroker, sale: Order, order: tuple[int, ...]
) -> None:
    parts = [("1", "104.01", "0.30"), ("2.5", "103.99", "0.40"), ("2.787107", "104", "0.30")]
    reports = [
        broker.fill(sale.client_order_id, quantity, price, commission=Decimal(own)) for quantity, price, own in parts
    ]
    for index in (*order, *order):
        fill_book(account=told_desk.account, report=reports[index])
    assert (fresh(sale.cell).cash, only_order().commission) == (Decimal("5652.84"), Decimal("1.00"))
    assert reconcile() == []


def test_a_buy_that_costs_more_than_there_is_is_booked_and_halts_the_cell(
    told_desk: Desk, broker: StandInBroker, purchase: Order
) -> None:
    assert purchase.limit_price == Decimal("96.48")
    broker.fill(purchase.client_order_id, purchase.quantity, 1_000)
    orders_send(account_id=told_desk.account.pk)
    cell = fresh(purchase.cell)
    assert cell.cash < 0
    halt = TradingRestriction.objects.get(cell=cell)
    assert (halt.state, halt.cause) == ("halted", "negative_holding")
    assert halt.reason == f"A fill left cash {cell.cash} and {cell.shares} shares."
    assert reconcile() == []
    tick(told_desk.portfolio, {"IBM": 96}, OPEN + dt.timedelta(minutes=1))
    assert Evaluation.objects.latest("id").reason == "halted"
    shown = portfolio_update(portfolio_id=told_desk.portfolio.pk, kind="tick").cells[0]
    assert (shown.cash, shown.buy_price, shown.sell_price) == (cell.cash, None, None)


def test_a_fill_that_halts_leaves_a_persons_halt_as_it_was(
    told_desk: Desk, broker: StandInBroker, purchase: Order
) -> None:
    cell_halt(cell=purchase.cell, origin=Origin(reason="the operator was first"), cancels_orders=False)
    broker.fill(purchase.client_order_id, purchase.quantity, 1_000)
    orders_send(account_id=told_desk.account.pk)
    held = trading_states([fresh(purchase.cell)])[purchase.cell_id].held_by
    assert [one.cause for one in held] == ["person", "negative_holding"]
    assert held[0].reason == "the operator was first"


def test_an_archived_cell_takes_its_late_fill_and_stays_archived(
    told_desk: Desk, broker: StandInBroker, purchase: Order
) -> None:
    cell_archive(cell=cell_pause(cell=purchase.cell, origin=BY_TEST), origin=BY_TEST)
    broker.fill(purchase.client_order_id, purchase.quantity, 1_000)
    assert len(orders_send(account_id=told_desk.account.pk)) == 1
    cell = fresh(purchase.cell)
    assert (cell.status, cell.cash < 0) == (Cell.Status.ARCHIVED, True)


def test_a_report_for_an_order_we_never_made_is_held_and_moves_nothing(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    report = broker.fill("someone-elses", 10, 104, symbol="IBM", side="BUY")
    before = fresh(told_cell)
    for _ in range(2):
        assert orders_send(account_id=told_desk.account.pk) == []
        assert fill_book(account=told_desk.account, report=report) is None
    held, event = HeldFill.objects.get(), Event.objects.get(kind="fill.held")
    assert (held.symbol, held.side, held.quantity, held.price) == ("IBM", "BUY", 10, 104)
    assert (held.client_order_id, held.broker_fill_id) == ("someone-elses", "F1")
    assert event.subject == f"account:{told_desk.account.pk}"
    assert (fresh(told_cell).version, Fill.objects.count()) == (before.version, 0)
    assert FillCursor.objects.get().position == report.cursor


def test_the_brokers_commission_wins_over_the_schedule(told_desk: Desk, broker: StandInBroker, sale: Order) -> None:
    broker.fill(sale.client_order_id, 3, 104, commission=Decimal("1.00"))
    broker.fill(sale.client_order_id, "3.287107", 104, commission=Decimal("0.25"))
    orders_send(account_id=told_desk.account.pk)
    assert [fill.commission for fill in Fill.objects.order_by("id")] == [Decimal("1.00"), Decimal("0.25")]
    assert (only_order().commission, fresh(sale.cell).cash) == (Decimal("1.25"), Decimal("5652.61"))


def test_a_rebate_of_the_broker_is_paid_back(told_desk: Desk, broker: StandInBroker, sale: Order) -> None:
    broker.fill(sale.client_order_id, 3, 104, commission=Decimal("1.00"))
    broker.fill(sale.client_order_id, "3.287107", 104, commission=Decimal("-0.60"))
    orders_send(account_id=told_desk.account.pk)
    assert (only_order().commission, fresh(sale.cell).cash) == (Decimal("0.40"), Decimal("5653.46"))
    assert reconcile() == []


def test_a_fill_for_an_order_that_was_thought_lost_is_booked(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    order = only_order()
    report = broker.fill(order.client_order_id, order.quantity, 104)
    fill_book(account=told_desk.account, report=report)
    orders_send(account_id=told_desk.account.pk)
    assert (only_order().status, broker.requests) == ("filled", [])


def test_a_fill_marks_its_day_again_in_the_same_transaction(
    told_desk: Desk, broker: StandInBroker, sale: Order
) -> None:
    assert DailyMark.objects.get().value == Decimal("10200.00")
    fill_book(account=told_desk.account, report=broker.fill(sale.client_order_id, sale.quantity, 104))
    assert DailyMark.objects.get().value == Decimal("10199.93")
