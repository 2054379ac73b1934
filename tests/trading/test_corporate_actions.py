"""Dividends and splits on hand-made days: in order, once, and what is left for a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from portfolios.models import Cell, Event, LedgerEntry, TradingRestriction
from portfolios.selectors import reconcile
from portfolios.services import Origin, cell_withdraw
from tests.portfolios.builders import make_instrument
from tests.trading.builders import (
    OPEN,
    Desk,
    fresh,
    make_actions,
    make_replay,
    make_series,
    only_order,
    open_cell,
    plan,
    quote,
    tick,
)
from tests.trading.standin import StandInBroker
from trading.feeds import registry
from trading.feeds.base import PriceQuote
from trading.models import ActionApplication, DailyMark, Evaluation, Order
from trading.services.cash_in_lieu import cash_in_lieu_book, cash_in_lieu_correct
from trading.services.order_states import order_move
from trading.services.orders import orders_send
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.replay_runs import replay_run_steps
from volbal.common.errors import Refused, VolbalError
from volbal.strategy import Dividend, Split

# 4 to 8 March and 11 to 15 March 2024 are sessions; 9 and 10 are a weekend.
MONDAY, TUESDAY, FRIDAY, SATURDAY, NEXT_MONDAY = (dt.date(2024, 3, day) for day in (4, 5, 8, 9, 11))
DAY = dt.timedelta(days=1)


def held(cell: Cell) -> tuple[Decimal | None, ...]:
    row = fresh(cell)
    return row.shares, row.anchor, row.cash, row.receivable


class TestOneDate:
    """A cell of 50 shares and 5,000.00 opened on 6 March, anchored at 100."""

    def test_a_split_comes_before_the_dividend_of_its_date(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(OPEN.date(), 0.6, FRIDAY), Split(OPEN.date(), 2.0))
        tick(desk.portfolio, {"IBM": 50})
        # 50 · 2 shares; 100 / 2 − 0.60; 100 · 0.60 less a quarter.
        assert held(cell) == (100, Decimal("49.4"), 5_000, 45)
        assert [row.action.kind for row in ActionApplication.objects.order_by("id")] == ["split", "dividend"]
        assert fresh(cell).average_cost == 50

    def test_a_split_of_no_shares_moves_the_anchor_and_books_nothing(self, desk: Desk) -> None:
        empty = open_cell(desk.portfolio, shares=Decimal(0))
        make_actions(Split(OPEN.date(), 2.0))
        tick(desk.portfolio, {"IBM": 50})
        assert held(empty) == (0, 50, 5_000, 0)
        assert ActionApplication.objects.get().shares == 0
        assert not LedgerEntry.objects.filter(kind="split").exists()

    def test_a_dividend_too_small_for_a_step_stays_cash_though_reinvested(self, desk: Desk) -> None:
        whole = open_cell(desk.portfolio, parameters={"quantity_step": 1.0}, reinvest_dividends=True)
        make_actions(Dividend(OPEN.date(), 0.6, OPEN.date()))
        tick(desk.portfolio, {"IBM": 100})
        assert held(whole) == (50, Decimal("99.4"), Decimal("5022.50"), 0)

    def test_cash_in_lieu_of_a_fraction_is_booked_once_and_for_splits_alone(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(OPEN.date(), 0.6, FRIDAY), Split(OPEN.date(), 1.5))
        tick(desk.portfolio, {"IBM": 66})
        split, dividend = ActionApplication.objects.order_by("id")
        about = {"amount": Decimal("12.34"), "as_of": OPEN, "origin": Origin(task="test", reason="broker's note")}
        cash = fresh(cell).cash
        cash_in_lieu_book(application=split, **about)
        with pytest.raises(Refused, match="already"):
            cash_in_lieu_book(application=split, **about)
        with pytest.raises(Refused, match="no split"):
            cash_in_lieu_book(application=dividend, **about)
        assert fresh(cell).cash == cash + Decimal("12.34")
        assert LedgerEntry.objects.get(kind="cash_in_lieu").cash == Decimal("12.34")
        assert reconcile() == []

    def test_cash_in_lieu_is_corrected_by_opposite_entries_as_often_as_the_broker_does(
        self, desk: Desk, cell: Cell
    ) -> None:
        make_actions(Split(OPEN.date(), 1.5))
        tick(desk.portfolio, {"IBM": 66})
        split, cash = ActionApplication.objects.get(), fresh(cell).cash

        def change(amount: str, reason: str = "broker's note", service: Any = cash_in_lieu_correct) -> None:
            origin = Origin(task="test", reason=reason)
            service(application=split, amount=Decimal(amount), as_of=OPEN, origin=origin)

        with pytest.raises(Refused, match="No cash in lieu"):
            change("1")
        change("12.34", service=cash_in_lieu_book)
        for amount in ("11.11", "0", None, "7.5"):
            if amount is None:
                # Taken back, it may be booked anew.
                change("8", service=cash_in_lieu_book)
            else:
                change(amount)
        assert fresh(cell).cash == cash + Decimal("7.50")
        booked = LedgerEntry.objects.filter(kind="cash_in_lieu").order_by("id").values_list("cash", "reverses__cash")
        assert [(str(amount), reverses) for amount, reverses in booked] == [
            ("12.34", None),
            ("-12.34", Decimal("12.34")),
            ("11.11", None),
            ("-11.11", Decimal("11.11")),
            ("8.00", None),
            ("-8.00", Decimal("8.00")),
            ("7.50", None),
        ]
        assert reconcile() == []
        for amount, reason, why in (
            ("7.5", "again", "nothing was changed"),
            ("-1", "wrong", "amount is"),
            ("1", "", "needs a reason"),
        ):
            with pytest.raises(VolbalError, match=why):
                change(amount, reason)

    def test_a_correction_that_takes_more_than_there_is_halts_the_cell(self, desk: Desk) -> None:
        cell = open_cell(desk.portfolio, cash=Decimal(0))
        make_actions(Split(OPEN.date(), 1.5))
        tick(desk.portfolio, {"IBM": 66})
        about: dict[str, Any] = {"application": ActionApplication.objects.get(), "as_of": OPEN}
        by = Origin(task="test", reason="broker's note")
        cash_in_lieu_book(amount=Decimal(5), origin=by, **about)
        cell_withdraw(cell=cell, cash=Decimal(5), as_of=OPEN, origin=by)
        cash_in_lieu_correct(amount=Decimal(2), origin=by, **about)
        assert (fresh(cell).cash, TradingRestriction.objects.get().cause) == (-3, "negative_holding")

    def test_the_ledger_has_each_amount_with_its_reason(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(OPEN.date(), 0.333333, FRIDAY), Split(OPEN.date(), 1.5))
        tick(desk.portfolio, {"IBM": 66})
        booked = LedgerEntry.objects.filter(cell=cell).exclude(kind="opening").order_by("id")
        # 75 · 0.333333 = 24.999975, to the cent 25.00; a quarter of it is 6.25.
        assert list(booked.values_list("kind", "shares", "cash", "receivable")) == [
            ("split", Decimal("25.000000"), 0, 0),
            ("dividend", 0, 0, Decimal("25.00")),
            ("tax", 0, 0, Decimal("-6.25")),
        ]
        assert reconcile() == []

    def test_it_is_applied_before_the_evaluation_of_its_date(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(OPEN.date(), 2.0))
        tick(desk.portfolio, {"IBM": 50})
        evaluation = Evaluation.objects.get()
        assert (evaluation.action, evaluation.anchor, evaluation.shares) == ("HOLD", 50, 100)

    def test_however_often_it_ticks_it_is_applied_once(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(OPEN.date(), 2.0), Dividend(OPEN.date(), 1.0, OPEN.date()))
        for minute in range(3):
            tick(desk.portfolio, {"IBM": 50}, OPEN + dt.timedelta(minutes=minute))
        tick(desk.portfolio, {"IBM": 50}, OPEN + DAY)
        assert held(cell) == (100, 49, 5_075, 0)
        assert ActionApplication.objects.count() == 2

    def test_a_cell_that_forgot_how_far_it_came_takes_nothing_twice(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(OPEN.date(), 2.0), Dividend(OPEN.date(), 1.0, OPEN.date()))
        tick(desk.portfolio, {"IBM": 50})
        Cell.objects.update(actions_through=None, actions_version=0)
        tick(desk.portfolio, {"IBM": 50}, OPEN + DAY)
        assert held(cell) == (100, 49, 5_075, 0)
        assert ActionApplication.objects.count() == 2

    def test_the_database_refuses_a_second_application(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(OPEN.date(), 2.0))
        tick(desk.portfolio, {"IBM": 50})
        again = ActionApplication.objects.get()
        again.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            again.save(force_insert=True)

    def test_without_a_known_pay_date_it_stays_owed_for_nobody_can_spend_it(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(OPEN.date(), 1.0))
        tick(desk.portfolio, {"IBM": 99})
        tick(desk.portfolio, {"IBM": 99}, OPEN + 8 * DAY)
        assert held(cell) == (50, 99, 5_000, Decimal("37.50"))

    def test_what_lies_before_the_opening_is_not_applied(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(OPEN.date() - DAY, 2.0), Dividend(MONDAY, 1.0, FRIDAY))
        tick(desk.portfolio, {"IBM": 100})
        tick(desk.portfolio, {"IBM": 100}, OPEN + DAY)
        assert held(cell) == (50, 100, 5_000, 0)

    def test_days_without_prices_are_caught_up_in_order(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(SATURDAY, 2.0), Dividend(FRIDAY, 1.0, SATURDAY), Dividend(NEXT_MONDAY, 0.5, NEXT_MONDAY))
        tick(desk.portfolio, {"IBM": 49}, OPEN + 4 * DAY)
        # 100 − 1, halved, − 0.50; 50 · 1.00 and 100 · 0.50, each less a quarter, both paid by then.
        assert held(cell) == (100, 49, 5_075, 0)

    def test_a_fraction_of_a_share_is_rounded_down(self, desk: Desk) -> None:
        cell = open_cell(desk.portfolio, shares=Decimal("0.000003"))
        make_actions(Split(OPEN.date(), 0.5))
        tick(desk.portfolio, {"IBM": 200})
        assert held(cell)[:2] == (Decimal("0.000001"), 200)

    def test_an_anchor_that_a_dividend_used_up_is_unset_and_asks_for_attention(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(OPEN.date(), 100.0))
        tick(desk.portfolio, {"IBM": 5})
        row = fresh(cell)
        assert row.anchor is None
        assert row.status_reason == "A dividend of 100.000000 a share left no anchor above 0: set a new one."
        evaluation = Evaluation.objects.get()
        assert (evaluation.action, evaluation.reason) == ("HOLD", "no_anchor")

    def test_each_leaves_an_event(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(OPEN.date(), 2.0), Dividend(OPEN.date(), 1.0, OPEN.date()))
        tick(desk.portfolio, {"IBM": 50})
        kinds = Event.objects.filter(task="corporate actions").order_by("id").values_list("kind", flat=True)
        assert list(kinds) == ["cell.split", "cell.dividend", "cell.dividend_paid"]

    def test_a_dividend_on_nothing_moves_the_anchor_alone(self, desk: Desk) -> None:
        cell = open_cell(desk.portfolio, shares=Decimal(0))
        make_actions(Dividend(OPEN.date(), 1.0))
        tick(desk.portfolio, {"IBM": 100})
        assert held(cell) == (0, 99, 5_000, 0)
        assert reconcile() == []


class TestReplayedDays:
    """The same on bars: 10,000.00, half in shares at the first close of 100."""

    @pytest.mark.parametrize("reinvest", [False, True])
    def test_a_dividend_is_owed_until_its_pay_date_and_reinvested_at_that_close(
        self, desk: Desk, reinvest: bool
    ) -> None:
        make_actions(Dividend(TUESDAY, 1.0, dt.date(2024, 3, 7)))
        series = make_series([100, 99, 99, 99.5, 99.5])
        run = make_replay(desk.account, series, plans=[plan(reinvest=reinvest)])
        seen = []
        for _ in range(5):
            replay_run_steps(run=run, steps=1)
            seen.append(held(Cell.objects.get()))
        # 50 · 1.00 less a quarter; 37.50 / 99.50 = 0.376884 shares.
        paid = (Decimal("50.376884"), 99, 5_000, 0) if reinvest else (50, 99, Decimal("5037.50"), 0)
        assert seen == [(50, 100, 5_000, 0), *[(50, 99, 5_000, Decimal("37.50"))] * 2, paid, paid]
        assert Cell.objects.get().orders_today == 0
        assert reconcile() == []

    def test_each_run_books_its_own(self, desk: Desk) -> None:
        make_actions(Split(TUESDAY, 2.0))
        series = make_series([100, 50, 50])
        runs = [make_replay(desk.account, series, name=name) for name in ("First", "Second")]
        for run in runs:
            replay_run_steps(run=run, steps=3)
        assert list(Cell.objects.values_list("shares", flat=True)) == [100, 100]
        assert ActionApplication.objects.count() == 2


class Prices:
    """A feed that says 52."""

    name = source = "synthetic"
    is_synthetic = True
    is_two_sided = is_remote = is_delayed = False

    def quotes(self, instruments: list[object], moment: dt.datetime) -> list[PriceQuote]:
        return [quote(make_instrument("IBM"), 52, moment)]


class TestOrdersAcrossASplit:
    """An order of 7 March meets a split of 8 March."""

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
        monkeypatch.setitem(registry._factories, "synthetic", lambda portfolio: Prices())
        with time_machine.travel(OPEN, tick=False) as traveller:
            yield traveller

    @pytest.fixture
    def order(self, told_desk: Desk, told_cell: Cell) -> Order:
        make_actions(Split(FRIDAY, 2.0))
        tick(told_desk.portfolio, {"IBM": 104})
        return only_order()

    def test_an_open_order_is_cancelled_and_the_split_applied(
        self, told_desk: Desk, broker: StandInBroker, order: Order, clock: time_machine.Traveller
    ) -> None:
        orders_send(account_id=told_desk.account.pk)
        clock.shift(DAY)
        portfolio_tick(portfolio=told_desk.portfolio)
        first = Order.objects.get(pk=order.pk)
        assert (first.status, first.status_detail) == ("cancelled", "cancelled before a split")
        assert (fresh(order.cell).shares, Evaluation.objects.latest("id").anchor) == (100, 50)

    def test_what_was_filled_since_the_anchor_splits_too(
        self, told_desk: Desk, broker: StandInBroker, order: Order, clock: time_machine.Traveller
    ) -> None:
        orders_send(account_id=told_desk.account.pk)
        broker.fill(order.client_order_id, 2, 104)
        orders_send(account_id=told_desk.account.pk)
        clock.shift(DAY)
        portfolio_tick(portfolio=told_desk.portfolio)
        assert (fresh(order.cell).sold_since_anchor, fresh(order.cell).shares) == (4, 96)

    @pytest.mark.parametrize("status", ["submitting", "unknown"])
    def test_an_order_nobody_knows_about_keeps_the_cell_waiting(
        self, told_desk: Desk, broker: StandInBroker, order: Order, clock: time_machine.Traveller, status: str
    ) -> None:
        order_move(order, Order.Status.SUBMITTING)
        if status == "unknown":
            order_move(order, Order.Status.UNKNOWN)
        clock.shift(DAY)
        portfolio_tick(portfolio=told_desk.portfolio)
        assert Evaluation.objects.latest("id").reason == "corporate_action_pending"
        assert (fresh(order.cell).shares, DailyMark.objects.count()) == (50, 1)
        order.refresh_from_db()
        order_move(order, Order.Status.REJECTED if status == "submitting" else Order.Status.CANCELLED)
        clock.shift(60)
        portfolio_tick(portfolio=told_desk.portfolio)
        assert (fresh(order.cell).shares, DailyMark.objects.count()) == (100, 2)
        assert Evaluation.objects.latest("id").reason == "trigger_up"

    def test_a_silent_broker_keeps_the_cell_waiting_and_then_lets_it_go(
        self, told_desk: Desk, broker: StandInBroker, order: Order, clock: time_machine.Traveller
    ) -> None:
        orders_send(account_id=told_desk.account.pk)
        clock.shift(DAY)
        broker.silent = True
        for _ in range(2):
            portfolio_tick(portfolio=told_desk.portfolio)
            assert Evaluation.objects.latest("id").reason == "corporate_action_pending"
            clock.shift(60)
        broker.silent = False
        orders_send(account_id=told_desk.account.pk)
        portfolio_tick(portfolio=told_desk.portfolio)
        assert fresh(order.cell).shares == 100
