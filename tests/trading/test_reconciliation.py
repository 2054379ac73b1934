"""Books and brokers are compared before anything trades, and each difference is told, aged and acted on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest
import time_machine
from celery.signals import worker_ready
from django.core.management import CommandError, call_command

from portfolios.models import Cell, Event
from portfolios.services.origin import Origin
from portfolios.services.restrictions import restriction_lift
from portfolios.standings import place_of
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, fresh, make_replay, make_series, only_order, tick
from tests.trading.standin import StandInBroker
from tests.trading.test_console import client_of, operate
from tests.trading.test_limits import limit, state_of
from trading.brokers.base import BrokerOrder, BrokerOrderStatus
from trading.models import AccountReconciliation, BreakerTrip, BrokerDifference, Evaluation, Fill, Order
from trading.services.dispatch import accounts_to_reconcile
from trading.services.halts import place_restrict
from trading.services.orders import orders_send
from trading.services.reconciliation import (
    account_reconcile,
    accounts_await_reconciliation,
    difference_accept,
    reconciliation_require,
)
from trading.services.replays import replay_step
from volbal.common.errors import Refused

Kind, Status = BrokerDifference.Kind, BrokerDifference.Status
AGREES, DIFFERS, WAITING = "agrees", "differs", "waiting"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


def compare(desk: Desk) -> str:
    return account_reconcile(account_id=desk.account.pk).status


def differences() -> list[tuple[str, str, str]]:
    return list(BrokerDifference.objects.order_by("id").values_list("kind", "subject", "status"))


def sold(desk: Desk, broker: StandInBroker) -> Order:
    """Sell 6.287107 at 104 and have it booked."""
    tick(desk.portfolio, {"IBM": 104})
    orders_send(account_id=desk.account.pk)
    order = only_order()
    broker.fill(order.client_order_id, order.quantity, 104, commission=Decimal("0.07"))
    broker.close(order.client_order_id)
    orders_send(account_id=desk.account.pk)
    return only_order()


def confirm(desk: Desk, clock: time_machine.Traveller) -> str:
    """Compare twice, far enough apart for a difference to count."""
    compare(desk)
    clock.shift(6)
    return compare(desk)


@pytest.mark.usefixtures("clock")
def test_an_account_whose_orders_fills_shares_and_cash_agree_may_trade(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    sold(told_desk, broker)
    assert compare(told_desk) == AGREES
    state = AccountReconciliation.objects.get()
    assert (state.blocks, state.cursor, state.verified_fill_id) == (False, "1", Fill.objects.get().pk)
    assert differences() == []


@pytest.mark.usefixtures("clock")
def test_nothing_is_sent_after_a_start_until_the_broker_agrees(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    accounts_await_reconciliation()
    broker.shares_beside["IBM"] = Decimal(3)
    orders_send(account_id=told_desk.account.pk)
    clock.shift(6)
    orders_send(account_id=told_desk.account.pk)
    assert (broker.requests, only_order().status) == ([], "intent")
    broker.shares_beside.clear()
    assert compare(told_desk) == AGREES
    orders_send(account_id=told_desk.account.pk)
    assert [request.client_order_id for request in broker.requests] == [only_order().client_order_id]


def test_a_cell_in_an_account_that_differs_says_that_it_is_halted(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    broker.cash_beside = Decimal("0.01")
    assert confirm(told_desk, clock) == DIFFERS
    tick(told_desk.portfolio, {"IBM": 104})
    assert list(Evaluation.objects.values_list("action", "reason")) == [("SKIP", "halted")]
    assert Evaluation.objects.get().sentence.endswith("until the account's books and its broker's agree.")
    by_hand = place_restrict(on=place_of(told_desk.portfolio), state="halted", origin=by_owner(told_desk))
    tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(seconds=20))
    assert Evaluation.objects.latest("id").sentence.endswith("until a person resumes it.")
    restriction_lift(restriction=by_hand, origin=by_owner(told_desk))
    broker.cash_beside = Decimal(0)
    assert compare(told_desk) == AGREES
    tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(minutes=1))
    assert Evaluation.objects.latest("id").action == "SELL"


@pytest.mark.parametrize(
    "field,beside,kind,subject,cause",
    [
        ("shares_beside", {"IBM": Decimal("-2.5")}, Kind.SHARES, "IBM", "By our orders the broker has -2.5 IBM"),
        ("shares_beside", {"MSFT": Decimal(4)}, Kind.SHARES, "MSFT", "the broker has 4 MSFT, our books 0"),
        ("cash_beside", Decimal("-0.01"), Kind.CASH, "USD", "the broker has -0.01 USD, our books 0.00"),
    ],
)
def test_a_difference_is_seen_then_confirmed_then_heals_by_itself(
    told_desk: Desk,
    told_cell: Cell,
    broker: StandInBroker,
    clock: time_machine.Traveller,
    field: str,
    beside: object,
    kind: str,
    subject: str,
    cause: str,
) -> None:
    assert compare(told_desk) == AGREES
    setattr(broker, field, beside)
    assert compare(told_desk) == AGREES  # it may only be under way
    assert differences() == [(kind, subject, Status.SUSPECTED)]
    clock.shift(6)
    assert compare(told_desk) == DIFFERS
    row = BrokerDifference.objects.get()
    assert (row.status, row.seen_count, row.first_seen_at) == (Status.OPEN, 2, OPEN)
    assert cause in row.cause
    setattr(broker, field, {} if field == "shares_beside" else Decimal(0))
    assert compare(told_desk) == AGREES
    assert differences() == [(kind, subject, Status.HEALED)]
    told = Event.objects.filter(kind__in=["account.agrees", "account.differs"]).order_by("id")
    assert [one.kind for one in told] == ["account.differs", "account.agrees"]


def test_a_person_accepts_a_difference_with_a_reason_and_no_larger_one_with_it(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    broker.shares_beside["IBM"] = Decimal(3)
    assert confirm(told_desk, clock) == DIFFERS
    with pytest.raises(Refused, match="needs a reason"):
        difference_accept(difference=BrokerDifference.objects.get(), origin=Origin())
    accepted = difference_accept(difference=BrokerDifference.objects.get(), origin=BY_TEST)
    assert accepted.status == AGREES
    with pytest.raises(Refused, match="nothing to accept"):
        difference_accept(difference=BrokerDifference.objects.get(), origin=BY_TEST)
    broker.shares_beside["IBM"] = Decimal(4)
    assert confirm(told_desk, clock) == DIFFERS
    difference_accept(difference=BrokerDifference.objects.get(status=Status.OPEN), origin=BY_TEST)
    assert compare(told_desk) == AGREES
    broker.shares_beside.clear()
    assert confirm(told_desk, clock) == DIFFERS  # what was accepted is gone: that is a difference too


def test_an_order_that_the_broker_lost_and_one_that_we_never_placed_are_named(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    lost = only_order().client_order_id
    del broker.book[lost]
    broker.book["by-phone"] = BrokerOrder(
        "by-phone", "S9", BrokerOrderStatus.WORKING, symbol="IBM", side="BUY", quantity=Decimal(5)
    )
    clock.shift(11)
    assert confirm(told_desk, clock) == DIFFERS
    assert differences() == [(Kind.ORDER_MISSING, lost, Status.OPEN), (Kind.ORDER_FOREIGN, "by-phone", Status.OPEN)]
    causes = list(BrokerDifference.objects.order_by("id").values_list("cause", flat=True))
    assert causes[0] == "Our order to sell 6.287107 is accepted; the broker does not know it."
    assert causes[1] == "The broker works an order to buy 5 IBM that we did not place."
    for difference in BrokerDifference.objects.all():
        difference_accept(difference=difference, origin=BY_TEST)
    assert compare(told_desk) == AGREES


def test_a_fill_that_we_booked_and_the_broker_does_not_report_is_named(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    sold(told_desk, broker)
    kept = list(broker.reports)
    broker.reports.clear()
    broker.shares_beside["IBM"] = Decimal("-6.287107")
    broker.cash_beside = Decimal("653.79")
    assert confirm(told_desk, clock) == DIFFERS
    assert differences() == [(Kind.FILL_MISSING, "F1", Status.OPEN)]
    broker.reports.extend(replace(report) for report in kept)
    broker.shares_beside.clear()
    broker.cash_beside = Decimal(0)
    assert compare(told_desk) == AGREES


def test_a_silent_broker_leaves_the_account_as_it_stands(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    assert compare(told_desk) == AGREES
    broker.silent = True
    clock.shift(5)
    assert compare(told_desk) == AGREES
    state = AccountReconciliation.objects.get()
    assert (state.unreachable_since, state.detail) == (OPEN + dt.timedelta(seconds=5), "no answer: no answer")
    accounts_await_reconciliation()
    assert compare(told_desk) == WAITING
    broker.silent = False
    assert compare(told_desk) == AGREES
    assert AccountReconciliation.objects.get().unreachable_since is None


def test_every_start_of_a_sender_makes_all_accounts_wait(
    told_desk: Desk, told_cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from volbal.celery import app

    assert compare(told_desk) == AGREES
    # In tests a task runs at once, so the wait is over when the signal returns.
    checks = AccountReconciliation.objects.get().check_count
    monkeypatch.setattr(app.amqp.queues, "_consume_from", {"research": None})
    worker_ready.send(sender=type("Worker", (), {"app": app}))
    assert AccountReconciliation.objects.get().check_count == checks
    monkeypatch.setattr(app.amqp.queues, "_consume_from", {"orders": None})
    worker_ready.send(sender=type("Worker", (), {"app": app}))
    state = AccountReconciliation.objects.get()
    assert state.status == AGREES
    assert state.check_count > checks


def test_accounts_are_compared_again_after_a_window(
    told_desk: Desk, told_cell: Cell, clock: time_machine.Traveller
) -> None:
    assert [one.pk for one in accounts_to_reconcile()] == [told_desk.account.pk]
    reconciliation_require(account=told_desk.account)
    assert accounts_to_reconcile() == []
    clock.shift(61)
    assert [one.pk for one in accounts_to_reconcile()] == [told_desk.account.pk]


def test_a_replay_waits_while_its_account_differs_and_then_goes_on(desk: Desk) -> None:
    run = make_replay(desk.account, make_series([100, 104, 100]))
    reconciliation_require(account=desk.account)
    accounts_await_reconciliation()
    assert replay_step(run_id=run.pk, only_if_due=False) is None
    assert compare(desk) == AGREES
    assert replay_step(run_id=run.pk, only_if_due=False) is not None


def test_the_command_names_what_differs_with_the_broker(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    broker.cash_beside = Decimal(12)
    printed = StringIO()
    with pytest.raises(CommandError, match="1 differences in 1 cells and 1 accounts"):
        call_command("reconcile", stdout=printed)
    assert printed.getvalue() == (
        f"account:{told_desk.account.pk}: By our orders the broker has 12.00 USD, our books 0.00.\n"
    )
    call_command("reconcile", "--books-only", stdout=printed)
    assert "equal their ledger.\n" in printed.getvalue()


def test_shares_of_a_cell_count_in_an_account_that_reports_all_it_holds(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def holdings(_: StandInBroker) -> object:
        held = fresh(told_cell)
        return broker_base.Holdings(shares={"IBM": held.shares}, cash=held.cash)

    from trading.brokers import base as broker_base

    monkeypatch.setattr(StandInBroker, "holdings", holdings)
    assert compare(told_desk) == AGREES


def test_the_traders_page_says_why_nothing_trades_and_the_operator_accepts_in_the_console(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    broker.shares_beside["IBM"] = Decimal(3)
    confirm(told_desk, clock)
    trader, operator = (client_of(told_desk, role) for role in ("trader", "operator"))
    sentence = "Main and its broker differ. By our orders the broker has 3 IBM, our books 0."
    assert sentence in trader.get("/").content.decode()
    portfolio = trader.get(f"/portfolios/{told_desk.portfolio.pk}/").content.decode()
    assert sentence in portfolio
    assert "0 of 1 trading" in portfolio
    assert sentence in trader.get(f"/cells/{told_cell.pk}/").content.decode()
    difference = BrokerDifference.objects.get()
    assert operate(operator, "trading_brokerdifference", "accept", difference) == 200  # it asks why
    assert operate(operator, "trading_brokerdifference", "accept", difference, reason="bought by phone") == 302
    difference.refresh_from_db()
    assert (difference.status, difference.reason) == (Status.ACCEPTED, "bought by phone")
    assert difference.resolved_by.email == "operator@people.example"
    assert sentence not in trader.get("/").content.decode()


def test_a_limit_on_disagreement_acts_once_and_without_one_it_is_told(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    broker.cash_beside = Decimal(1)
    confirm(told_desk, clock)
    assert list(BreakerTrip.objects.values_list("kind", "action")) == [("broker_disagreement", "alert")]
    assert compare(told_desk) == DIFFERS
    assert BreakerTrip.objects.count() == 1
    broker.cash_beside = Decimal(0)
    compare(told_desk)
    limit(told_desk.portfolio, "broker_disagreement", "1", action="halted")
    broker.cash_beside = Decimal(2)
    confirm(told_desk, clock)
    assert state_of(told_cell) == "halted"
