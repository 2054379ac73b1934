"""Cash that a broker moves without a fill: kept once, shared among the cells it is of, or left to a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from portfolios.models import BrokerAccount, Cell, Event, LedgerEntry, TradingRestriction
from portfolios.selectors import reconcile
from portfolios.services import Origin
from tests.trading.builders import OPEN, Desk, fresh, make_desk, open_cell, tick
from tests.trading.standin import StandInBroker
from tests.trading.test_console import client_of, operate
from trading.brokers.base import Capabilities, CashKind, CashReport, FeeBasis
from trading.models import BrokerCash, Order, RefusedReport
from trading.selectors.attention import report_attention
from trading.services.broker_cash import cash_book, cash_collect, cash_known, cash_shares, cash_take
from trading.services.orders import orders_send
from trading.services.refused_reports import refused_report_retry
from volbal.common.errors import Refused, VolbalError
from volbal.common.tenancy import every_tenant, tenant_scope

WHY = Origin(reason="the broker's statement")
LATER = OPEN + dt.timedelta(hours=9)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


def moved(amount: str = "-0.31", kind: CashKind = CashKind.FEE, **changes: Any) -> CashReport:
    whole: dict[str, Any] = {
        "broker_cash_id": "C1", "code": "FEE TAF", "day": OPEN.date(), "as_of": LATER, "currency": "USD",
        "basis": FeeBasis.SOLD_SHARES,
    }  # fmt: skip
    return CashReport(kind=kind, amount=Decimal(amount), **(whole | changes))


@pytest.fixture
def cells(told_desk: Desk, broker: StandInBroker) -> list[Cell]:
    """Three cells: one sold 6.287107 IBM at 104, one 12.574214 MSFT at 104, one bought AAPL at 96."""
    made = [
        open_cell(told_desk.portfolio),
        open_cell(told_desk.portfolio, "MSFT", cash=Decimal(10_000), shares=Decimal(100)),
    ]
    made.append(open_cell(told_desk.portfolio, "AAPL"))
    tick(told_desk.portfolio, {"IBM": 104, "MSFT": 104, "AAPL": 96})
    orders_send(account_id=told_desk.account.pk)
    for order in Order.objects.order_by("id"):
        broker.fill(order.client_order_id, order.quantity, order.decision_price or 0, commission=Decimal(0))
    orders_send(account_id=told_desk.account.pk)
    assert [Order.objects.get(cell=cell).side for cell in made] == ["SELL", "SELL", "BUY"]
    return made


@pytest.mark.parametrize(
    "basis, shares",
    [
        (FeeBasis.SOLD_SHARES, ["-0.10", "-0.21", "0"]),
        (FeeBasis.SOLD_VALUE, ["-0.10", "-0.21", "0"]),
        (FeeBasis.FILLS, ["-0.11", "-0.10", "-0.10"]),
        (None, ["-0.08", "-0.15", "-0.08"]),
    ],
)
def test_a_fee_is_shared_by_what_it_is_charged_on_and_adds_up(
    told_desk: Desk, cells: list[Cell], basis: FeeBasis | None, shares: list[str]
) -> None:
    before = [fresh(cell).cash for cell in cells]
    row = cash_take(account=told_desk.account, report=moved(basis=basis))
    assert row is not None
    assert row.status == "booked"
    assert [fresh(cell).cash - cash for cell, cash in zip(cells, before, strict=True)] == [
        Decimal(one) for one in shares
    ]
    assert sum(entry.cash for entry in LedgerEntry.objects.filter(kind="fee")) == Decimal("-0.31")
    assert reconcile() == []


def test_the_same_again_books_nothing_and_another_content_is_refused(told_desk: Desk, cells: list[Cell]) -> None:
    account = told_desk.account
    assert cash_take(account=account, report=moved()) is not None
    assert cash_take(account=account, report=moved()) is None
    assert cash_take(account=account, report=moved("-0.32")) is None
    assert RefusedReport.objects.get().code == "differs"
    assert (BrokerCash.objects.count(), LedgerEntry.objects.filter(kind="fee").count()) == (1, 2)


def test_a_fee_of_a_day_without_fills_and_interest_are_the_accounts_own(told_desk: Desk, cells: list[Cell]) -> None:
    cash_take(account=told_desk.account, report=moved(day=OPEN.date() - dt.timedelta(days=3)))
    cash_take(account=told_desk.account, report=moved("1.50", CashKind.INTEREST, broker_cash_id="C2"))
    account = BrokerAccount.objects.get(pk=told_desk.account.pk)
    assert account.unallocated_cash == Decimal("1.19")
    assert set(LedgerEntry.objects.filter(key__startswith="broker_cash").values_list("kind", "cell")) == {
        ("fee", None),
        ("interest", None),
    }
    assert reconcile() == []


def test_a_fee_charged_on_sales_on_a_day_without_any_is_shared_by_what_was_traded(
    told_desk: Desk, broker: StandInBroker
) -> None:
    cell = open_cell(told_desk.portfolio, "AAPL")
    tick(told_desk.portfolio, {"AAPL": 96})
    orders_send(account_id=told_desk.account.pk)
    order = Order.objects.get()
    broker.fill(order.client_order_id, order.quantity, 96, commission=Decimal(0))
    orders_send(account_id=told_desk.account.pk)
    before = fresh(cell).cash
    cash_take(account=told_desk.account, report=moved())
    assert fresh(cell).cash == before - Decimal("0.31")


def test_a_fee_that_leaves_less_than_nothing_is_booked_and_halts_the_cell(told_desk: Desk, cells: list[Cell]) -> None:
    cash_take(account=told_desk.account, report=moved("-99999"))
    assert fresh(cells[0]).cash < 0
    assert {halt.cause for halt in TradingRestriction.objects.all()} == {"negative_holding"}
    assert reconcile() == []


@pytest.mark.parametrize(
    "wrong, code",
    [
        ({"amount": Decimal("NaN")}, "value"),
        ({"amount": Decimal("1E+15")}, "value"),
        ({"currency": "EUR"}, "currency"),
        ({"broker_cash_id": ""}, "bad_id"),
        ({"broker_cash_id": "x" * 81}, "bad_id"),
    ],
)
def test_what_cannot_be_is_kept_and_may_be_tried_again(
    told_desk: Desk, cells: list[Cell], wrong: dict[str, Any], code: str
) -> None:
    assert cash_take(account=told_desk.account, report=replace(moved(), **wrong)) is None
    kept = RefusedReport.objects.get()
    assert (kept.code, kept.payload["kind"], kept.payload["cash_kind"]) == (code, "cash", "fee")
    with pytest.raises(Refused, match="refused as before"):
        refused_report_retry(report=kept, origin=WHY)
    assert not BrokerCash.objects.exists()


class TestByHand:
    """Deposits, dividends and what has no name wait for a person, and say so."""

    @pytest.fixture
    def waiting(self, told_desk: Desk, cells: list[Cell]) -> BrokerCash:
        row = cash_take(account=told_desk.account, report=moved("12.34", CashKind.DIVIDEND, code="DIV", symbol="IBM"))
        assert row is not None
        assert row.status == "open"
        return row

    def test_one_waits_in_the_list_and_in_what_needs_attention(self, waiting: BrokerCash) -> None:
        assert [note.text for note in report_attention()] == [
            "Main: 1 movement of cash at the broker. Book it, or say that it is booked."
        ]

    def test_it_is_booked_on_a_cell_once(self, waiting: BrokerCash, cells: list[Cell]) -> None:
        before = fresh(cells[0]).cash
        cash_book(movement=waiting, cell=cells[0], origin=WHY)
        assert fresh(cells[0]).cash == before + Decimal("12.34")
        assert LedgerEntry.objects.get(key__startswith="broker_cash").kind == "dividend"
        assert (waiting.status, waiting.reason, report_attention()) == ("booked", WHY.reason, [])
        for act in (cash_book, cash_known):
            with pytest.raises(Refused, match="is settled: booked"):
                act(movement=waiting, origin=WHY)
        assert reconcile() == []

    def test_it_may_be_in_the_books_before(self, waiting: BrokerCash) -> None:
        with pytest.raises(VolbalError, match="needs a reason"):
            cash_known(movement=waiting, origin=Origin())
        cash_known(movement=waiting, origin=WHY)
        assert (waiting.status, LedgerEntry.objects.filter(key__startswith="broker_cash").count()) == ("known", 0)
        assert Event.objects.filter(kind="broker_cash.known").count() == 1

    @pytest.mark.parametrize("amount, kind", [("5", "deposit"), ("-5", "withdrawal")])
    def test_a_transfer_is_booked_as_what_it_is(self, told_desk: Desk, amount: str, kind: str) -> None:
        row = cash_take(account=told_desk.account, report=moved(amount, CashKind.TRANSFER, basis=None))
        assert row is not None
        cash_book(movement=row, origin=WHY)
        assert LedgerEntry.objects.get(key__startswith="broker_cash").kind == kind

    def test_a_cell_elsewhere_is_refused(self, waiting: BrokerCash, told_desk: Desk) -> None:
        south = make_desk("south")
        with tenant_scope(south.tenant.pk):
            cell = open_cell(south.portfolio)
        with pytest.raises(Refused, match="is not in"):
            cash_book(movement=waiting, cell=cell, origin=WHY)
        waiting.refresh_from_db()
        assert waiting.status == "open"

    def test_an_operator_settles_them_in_the_console(
        self, waiting: BrokerCash, told_desk: Desk, cells: list[Cell]
    ) -> None:
        operator = client_of(told_desk, "operator")
        typed = {"reason": "the broker's statement", "cell": cells[1].pk}
        assert operate(operator, "trading_brokercash", "book_on_cell", waiting, **typed) == 302
        assert operate(operator, "trading_brokercash", "known", waiting, **typed) == 200
        page = operator.get("/admin/trading/brokercash/").content.decode()
        assert "12.34" in page
        with every_tenant():
            assert BrokerCash.objects.get().status == "booked"


def test_it_is_collected_from_brokers_that_tell_it_and_from_no_others(
    told_desk: Desk, broker: StandInBroker, cells: list[Cell]
) -> None:
    broker.moved = [moved(), moved("-0.02", broker_cash_id="C2", code="FEE REG")]
    assert cash_collect(account=told_desk.account, broker=broker) == []
    broker.capabilities = Capabilities(tells_cash_movements=True)
    assert [row.code for row in cash_collect(account=told_desk.account, broker=broker)] == ["FEE TAF", "FEE REG"]
    assert cash_collect(account=told_desk.account, broker=broker) == []


@given(
    cents=st.integers(-100_000, 100_000).filter(bool),
    weights=st.lists(st.decimals("0.000001", "1000000", places=6), min_size=1, max_size=9),
)
def test_shares_add_up_to_the_cent_whatever_they_are_shared_by(cents: int, weights: list[Decimal]) -> None:
    amount, whole = Decimal(cents) / 100, sum(weights)
    shares = cash_shares(amount, dict(enumerate(weights)))
    assert sum(shares.values()) == amount
    for number, weight in enumerate(weights):
        assert abs(shares[number] - amount * weight / whole) < Decimal("0.01")
        assert shares[number] * amount >= 0
