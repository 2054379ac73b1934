"""What moves cash at Alpaca besides fills: told with its kind and day, and booked so that the books agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from alpaca.trading.models import NonTradeActivity

from portfolios.models import BrokerAccount, LedgerEntry, Portfolio
from portfolios.services import Origin, portfolio_create
from tests.alpaca.world import World, now
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, fresh, open_cell, tick
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.base import CashKind, CashReport, DoubtfulReport, FeeBasis
from trading.models import BrokerCash, BrokerDifference, Order, RefusedReport
from trading.services.broker_cash import cash_book
from trading.services.commission_corrections import commission_correct
from trading.services.orders import orders_send
from trading.services.reconciliation import account_reconcile

WHY = Origin(reason="the bank's statement")
TODAY = dt.datetime.now(dt.UTC).date()
REG = {"description": "REG fee for proceed of $654.00 on 2024-03-07 by PA0000000001", "activity_sub_type": "REG"}
TAF = {"description": "TAF fee for proceed of 6.287107 shares (1 trades) on 2024-03-07"}


def told(broker: AlpacaBroker) -> list[CashReport]:
    return [one for one in broker.cash_since(now()) if isinstance(one, CashReport)]


@pytest.mark.parametrize(
    "kind, more, expected",
    [
        ("FEE", REG, (CashKind.FEE, "FEE REG", FeeBasis.SOLD_VALUE)),
        ("FEE", TAF, (CashKind.FEE, "FEE TAF", FeeBasis.SOLD_SHARES)),
        ("FEE", {"activity_sub_type": "CAT"}, (CashKind.FEE, "FEE CAT", FeeBasis.FILLS)),
        ("FEE", {}, (CashKind.FEE, "FEE", None)),
        ("CFEE", {}, (CashKind.FEE, "CFEE", None)),
        ("INT", {}, (CashKind.INTEREST, "INT", None)),
        ("DIV", {"symbol": "IBM"}, (CashKind.DIVIDEND, "DIV", None)),
        ("DIVNRA", {"symbol": "IBM"}, (CashKind.DIVIDEND, "DIVNRA", None)),
        ("CIL", {"symbol": "IBM"}, (CashKind.CASH_IN_LIEU, "CIL", None)),
        ("JNLC", {}, (CashKind.TRANSFER, "JNLC", None)),
        ("CSD", {}, (CashKind.TRANSFER, "CSD", None)),
        ("PTC", {}, (CashKind.OTHER, "PTC", None)),
    ],
)
def test_each_movement_is_told_with_its_kind_as_alpaca_publishes_it(
    broker: AlpacaBroker, world: World, kind: str, more: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    sent = world.move_cash(kind, "-3.82", TODAY, **more)
    NonTradeActivity(**sent)
    (report,) = told(broker)
    assert (report.kind, report.code, report.basis) == expected
    assert (report.amount, report.day, report.currency) == (Decimal("-3.82"), TODAY, "USD")
    assert (report.broker_cash_id, report.symbol) == (sent["id"], more.get("symbol", ""))


def test_what_moved_no_cash_or_is_only_announced_is_not_told(broker: AlpacaBroker, world: World) -> None:
    world.move_cash("SPLIT", "0", TODAY, symbol="IBM", qty="50")
    world.move_cash("FEE", "-1", TODAY, status="pending")
    assert told(broker) == []


def test_a_fee_of_an_earlier_day_is_told_although_later_ones_were(broker: AlpacaBroker, world: World) -> None:
    world.move_cash("FEE", "-1", TODAY - dt.timedelta(days=1))
    world.move_cash("FEE", "-2", TODAY, at=now() - dt.timedelta(days=30))
    assert [report.amount for report in told(broker)] == [-1], "what was before the account was opened is not ours"


@pytest.mark.parametrize(
    "damage, why",
    [
        ({"net_amount": "many"}, "net_amount is 'many', expected a number"),
        ({"net_amount": None}, "net_amount is None, expected a number"),
        ({"date": "yesterday"}, "date is 'yesterday', expected a day"),
        ({"id": 7}, "id is 7, expected a text"),
        ({"status": "canceled"}, "its status is 'canceled': Alpaca corrected it or took it back"),
        ({"status": "correct"}, "its status is 'correct': Alpaca corrected it or took it back"),
        ({"activity_type": None}, "activity_type is None, expected a text"),
    ],
)
def test_one_that_cannot_be_taken_is_handed_over_whole(
    broker: AlpacaBroker, world: World, damage: dict[str, Any], why: str
) -> None:
    world.move_cash("FEE", "-1", TODAY)
    whole = world.move_cash("FEE", "-1", TODAY)
    whole |= damage
    doubtful, report = sorted(broker.cash_since(now()), key=lambda one: isinstance(one, CashReport))
    assert isinstance(doubtful, DoubtfulReport)
    assert isinstance(report, CashReport)
    assert (doubtful.content, doubtful.why) == (whole, why)


class TestBooks:
    """From a sale over Alpaca's fees to books that agree."""

    @pytest.fixture(autouse=True)
    def _in_session(self) -> Iterator[None]:
        with time_machine.travel(OPEN, tick=True):
            yield

    @pytest.fixture
    def sold(self, _in_session: None, account: BrokerAccount, world: World) -> Order:
        """A sale of 6.287107 IBM at 104.01 in one cell, beside another that did nothing."""
        world.shares["IBM"], world.shares["MSFT"], world.cash = Decimal(50), Decimal(50), Decimal(10_000)
        portfolio = portfolio_create(
            account=account, name="Core", mode=Portfolio.Mode.PAPER, feed="synthetic", tick_interval_seconds=60,
            origin=BY_TEST,
        )  # fmt: skip
        cell = open_cell(portfolio)
        open_cell(portfolio, "MSFT")
        tick(portfolio, {"IBM": 104})
        orders_send(account_id=account.pk)
        order = Order.objects.get(cell=cell)
        world.fill(order.client_order_id, order.quantity, "104")
        orders_send(account_id=account.pk)
        # Alpaca takes no commission; the schedule's estimate is put right first.
        commission_correct(account=account, commission=Decimal(0), client_order_id=order.client_order_id)
        world.cash = Decimal(10_000) + Order.objects.get(cell=cell).notional
        return order

    def test_regulatory_fees_are_the_cells_that_sold_and_the_books_agree_to_the_cent(
        self, account: BrokerAccount, world: World, sold: Order
    ) -> None:
        before = fresh(sold.cell).cash
        for sort, amount in (("REG", "-0.02"), ("TAF", "-0.01"), ("CAT", "-0.01")):
            world.move_cash("FEE", amount, OPEN.date(), activity_sub_type=sort)
        world.move_cash("INT", "0.07", OPEN.date())
        for _ in range(2):
            assert account_reconcile(account_id=account.pk).status == "agrees"
        assert fresh(sold.cell).cash == before - Decimal("0.04")
        assert BrokerAccount.objects.get().unallocated_cash == Decimal("0.07")
        booked = LedgerEntry.objects.filter(kind__in=["fee", "interest"]).order_by("id").values_list("kind", "cash")
        assert sorted(booked) == [
            ("fee", Decimal("-0.02")), ("fee", Decimal("-0.01")), ("fee", Decimal("-0.01")),
            ("interest", Decimal("0.07")),
        ]  # fmt: skip
        assert not BrokerDifference.objects.exists()

    def test_a_deposit_explains_the_difference_that_it_makes(
        self, account: BrokerAccount, world: World, sold: Order
    ) -> None:
        world.move_cash("CSD", "500.00", OPEN.date(), description="wire")
        account_reconcile(account_id=account.pk)
        assert BrokerDifference.objects.get().cause.endswith(
            "It tells of CSD of +500.00 on 2024-03-07, which waits in Broker cash."
        )
        cash_book(movement=BrokerCash.objects.get(), origin=WHY)
        assert account_reconcile(account_id=account.pk).status == "agrees"
        assert LedgerEntry.objects.get(kind="deposit", key__startswith="broker_cash:").cash == 500

    def test_what_cannot_be_read_is_a_refused_report(self, account: BrokerAccount, world: World, sold: Order) -> None:
        world.move_cash("FEE", "-0.02", OPEN.date())["net_amount"] = "much"
        account_reconcile(account_id=account.pk)
        assert RefusedReport.objects.get().sentence == ("It cannot be taken: net_amount is 'much', expected a number")
        assert BrokerDifference.objects.get().kind == "cash"
