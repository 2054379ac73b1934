"""A cell's days at random: ticks, answers lost, reports late, halts, splits, people and restarts in any order."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from portfolios.selectors import reconcile
from portfolios.services import (
    cell_deposit,
    cell_halt,
    cell_pause,
    cell_resume,
    cell_start,
    cell_withdraw,
    parameters_change,
)
from portfolios.services.origin import Origin
from portfolios.standings import trading_states
from tests.trading.builders import OPEN, Desk, by_owner, fresh, make_actions, open_cell, quote
from tests.trading.standin import StandInBroker
from tests.trading.test_order_states import MOVES
from trading.brokers.base import BrokerOrder, BrokerOrderStatus, BrokerUpdate, FillReport
from trading.models import Fill, Order, OrderTransition
from trading.services.broker_updates import broker_update_apply
from trading.services.fills import fill_book
from trading.services.manual_orders import order_ask_now, order_cancel_by_hand
from trading.services.order_placing import OrderTerms, order_place
from trading.services.order_states import order_claim
from trading.services.orders import orders_send
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.reconciliation import account_reconcile, accounts_await_reconciliation
from volbal.common.errors import Conflict, Refused
from volbal.common.numbers import CENT
from volbal.strategy import Dividend, Split

RANDOM = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ENDS = [BrokerOrderStatus(name) for name in ("cancelled", "rejected", "expired")]
MOODS = ["silent", "silent_after_accepting", "forgets", "slow_to_cancel"]
DRILL = Origin(reason="a drill")


class Feed:
    """Gives the price that it is told, made now."""

    name = source = "synthetic"
    is_synthetic = True
    is_two_sided = is_remote = is_delayed = False
    price = Decimal(100)

    def quotes(self, instruments: list[Any], moment: dt.datetime) -> list[Any]:
        return [quote(one, self.price, moment) for one in instruments]


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    one = Feed()
    monkeypatch.setattr("trading.services.portfolio_ticks.feed_of", lambda portfolio: one)
    monkeypatch.setattr("trading.tasks.send_orders.delay", lambda *_: None)
    return one


def test_whatever_happens_in_a_cells_days_the_books_agree(told_desk: Desk, broker: StandInBroker, feed: Feed) -> None:
    numbers = iter(range(100_000))

    class Days(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.before = transaction.savepoint()
            self.clock = time_machine.travel(OPEN, tick=False)
            self.now = self.clock.start()
            self.moment = OPEN
            broker.book.clear()
            broker.requests.clear()
            broker.reports.clear()
            self.calm()
            feed.price = Decimal(100)
            # Whole dollars, hundredths of shares: each fill is worth whole cents, for the broker rounds each alone.
            sliced = {
                "slice_notional": 400.0, "slice_interval_seconds": 60, "stop_loss": 0.3, "quantity_step": 0.01,
            }  # fmt: skip
            self.cell = open_cell(told_desk.portfolio, parameters=sliced)
            self.withheld: list[FillReport] = []
            self.overfilled = False
            self.splits = 0
            broker.during_submit = self.allowed
            self.look(seconds=60, move=4)

        def calm(self) -> None:
            broker.silent = broker.silent_after_accepting = broker.forgets = broker.slow_to_cancel = False

        def pass_time(self, seconds: int) -> None:
            self.moment += dt.timedelta(seconds=seconds)
            self.now.move_to(self.moment)

        def allowed(self) -> None:
            """What reaches the broker may trade at that moment."""
            cell = fresh(self.cell)
            order = Order.objects.get(client_order_id=broker.requests[-1].client_order_id)
            assert order.cell_id == cell.pk
            assert order.status == "submitting"
            assert not trading_states([cell])[cell.pk].is_halted
            assert cell.status == "active" or order.purpose == "manual"
            if order.side == "SELL":
                assert order.quantity <= cell.shares

        def mine(self) -> list[Order]:
            return list(Order.objects.filter(cell=self.cell).order_by("id"))

        def at_broker(self) -> list[str]:
            return [one for one in broker.book if broker.book[one].is_open]

        @rule(seconds=st.sampled_from([1, 11, 31, 61, 600]), move=st.sampled_from([0, 0, 3.2, -3.2, 6, -6, -12]))
        def look(self, seconds: int, move: float) -> None:
            self.pass_time(seconds)
            feed.price = max((feed.price * (1 + Decimal(str(move)) / 100)).quantize(Decimal(1)), Decimal(2))
            portfolio_tick(portfolio=told_desk.portfolio)

        @rule(seconds=st.sampled_from([0, 11, 31]))
        def send(self, seconds: int) -> None:
            self.pass_time(seconds)
            orders_send(account_id=told_desk.account.pk)

        @rule(kind=st.sampled_from(MOODS), on=st.booleans())
        def mood(self, kind: str, on: bool) -> None:
            setattr(broker, kind, on)

        @precondition(lambda self: broker.book)
        @rule(data=st.data(), part=st.sampled_from([0.3, 0.5, 1.0, 1.0, 1.7]), late=st.booleans())
        def fill(self, data: st.DataObject, part: float, late: bool) -> None:
            known = list(broker.book)[data.draw(st.integers(0, len(broker.book) - 1))]
            order = Order.objects.get(client_order_id=known)
            left = (
                order.quantity
                - broker.filled(known)
                - sum((one.quantity for one in self.withheld if one.client_order_id == known), Decimal(0))
            )
            quantity = (max(left, Decimal("0.1")) * Decimal(str(part))).quantize(CENT)
            if quantity <= 0:
                return
            self.overfilled |= quantity > left
            report = broker.fill(known, quantity, feed.price, commission=Decimal(0), as_of=self.moment)
            if late:
                self.withheld.append(broker.reports.pop())
                self.renumber()
            elif broker.filled(known) >= order.quantity:
                broker.close(known, BrokerOrderStatus.FILLED)
            assert report.quantity > 0

        def renumber(self) -> None:
            """Give each withheld report an id of its own, for the broker's count went back."""
            one = self.withheld[-1]
            number = 1000 + next(numbers)
            self.withheld[-1] = FillReport(
                cursor="", broker_fill_id=f"L{number}", client_order_id=one.client_order_id, quantity=one.quantity,
                price=one.price, commission=Decimal(0), as_of=one.as_of,
            )  # fmt: skip

        @precondition(lambda self: self.withheld)
        @rule(data=st.data(), streamed=st.booleans())
        def tell_late(self, data: st.DataObject, streamed: bool) -> None:
            one = self.withheld.pop(data.draw(st.integers(0, len(self.withheld) - 1)))
            self.hand_over(one)
            if streamed:
                fill_book(account=told_desk.account, report=one)

        def hand_over(self, one: FillReport) -> None:
            cursor = str(max((int(report.cursor) for report in broker.reports), default=0) + 1)
            broker.reports.append(
                FillReport(
                    cursor=cursor, broker_fill_id=one.broker_fill_id, client_order_id=one.client_order_id,
                    quantity=one.quantity, price=one.price, commission=Decimal(0), as_of=one.as_of,
                )
            )  # fmt: skip
            order = Order.objects.get(client_order_id=one.client_order_id)
            if broker.filled(one.client_order_id) >= order.quantity:
                broker.close(one.client_order_id, BrokerOrderStatus.FILLED)

        @precondition(lambda self: broker.reports)
        @rule(data=st.data())
        def tell_again(self, data: st.DataObject) -> None:
            assert (
                fill_book(
                    account=told_desk.account, report=broker.reports[data.draw(st.integers(0, len(broker.reports) - 1))]
                )
                or True
            )

        @precondition(lambda self: broker.book)
        @rule(data=st.data(), says=st.booleans())
        def stream(self, data: st.DataObject, says: bool) -> None:
            known = list(broker.book.values())[data.draw(st.integers(0, len(broker.book) - 1))]
            filled = broker.filled(known.client_order_id) if says else None
            told = BrokerOrder(known.client_order_id, "S1", known.status, filled)
            broker_update_apply(account=told_desk.account, update=BrokerUpdate(told, None))

        @precondition(lambda self: self.at_broker())
        @rule(data=st.data(), status=st.sampled_from(ENDS))
        def broker_ends(self, data: st.DataObject, status: BrokerOrderStatus) -> None:
            open_there = self.at_broker()
            broker.close(open_there[data.draw(st.integers(0, len(open_there) - 1))], status)

        @precondition(lambda self: Order.objects.filter(cell=self.cell).exclude(status__in=Order.ENDED).exists())
        @rule(data=st.data(), ask=st.booleans())
        def by_hand(self, data: st.DataObject, ask: bool) -> None:
            working = [one for one in self.mine() if not one.has_ended]
            order = working[data.draw(st.integers(0, len(working) - 1))]
            with suppress(Refused, Conflict):
                if ask:
                    order_ask_now(order=order, origin=DRILL)
                else:
                    order_cancel_by_hand(order=order, origin=DRILL)

        @rule(side=st.sampled_from(["BUY", "SELL"]), quantity=st.sampled_from(["1", "4", "40"]))
        def place(self, side: str, quantity: str) -> None:
            with suppress(Refused):
                order_place(cell=fresh(self.cell), terms=OrderTerms(side, Decimal(quantity)), origin=DRILL)

        @rule(what=st.sampled_from(["halt", "resume", "pause", "start"]))
        def person(self, what: str) -> None:
            cell = fresh(self.cell)
            with suppress(Refused):
                if what == "halt":
                    cell_halt(cell=cell, origin=DRILL)
                elif what == "resume":
                    cell_resume(cell=cell, origin=by_owner(told_desk))
                elif what == "pause":
                    cell_pause(cell=cell, origin=DRILL)
                else:
                    cell_start(cell=cell, origin=DRILL)

        @rule(amount=st.sampled_from([500, 4_000]), out=st.booleans())
        def money(self, amount: int, out: bool) -> None:
            move = cell_withdraw if out else cell_deposit
            with suppress(Refused):
                move(cell=fresh(self.cell), cash=Decimal(amount), as_of=self.moment, origin=DRILL)

        @rule(trigger=st.sampled_from([0.02, 0.03, 0.1]))
        def parameters(self, trigger: float) -> None:
            parameters_change(cell=fresh(self.cell), values={"trigger_up": trigger}, origin=DRILL)

        @precondition(lambda self: self.splits < 2)
        @rule(is_split=st.booleans(), days_ago=st.sampled_from([0, 0, 1]))
        def announce(self, is_split: bool, days_ago: int) -> None:
            self.splits += 1
            day = self.moment.date() - dt.timedelta(days=days_ago)
            make_actions(Split(day, 2.0) if is_split else Dividend(day, 0.5, day))
            if is_split and days_ago == 0:
                feed.price = (feed.price / 2).quantize(Decimal(1))

        @rule()
        def next_day(self) -> None:
            days = 3 if self.moment.weekday() == 4 else 1
            self.moment = (self.moment + dt.timedelta(days=days)).replace(hour=15, minute=30)
            self.now.move_to(self.moment)

        @rule(kill=st.booleans())
        def restart(self, kill: bool) -> None:
            """Everything starts anew, perhaps with a sender killed between its claim and the broker."""
            intent = Order.objects.filter(cell=self.cell, status="intent").first()
            if kill and intent is not None:
                order_claim(intent, Order.Status.SUBMITTING)
            accounts_await_reconciliation()

        @rule()
        def compare(self) -> None:
            account_reconcile(account_id=told_desk.account.pk)

        @invariant()
        def each_order_is_one_and_each_fill_is_booked_once(self) -> None:
            orders = self.mine()
            ids = [one.pk for one in orders]
            assert set(broker.book) <= {one.client_order_id for one in orders}
            moves = set(OrderTransition.objects.filter(order__in=ids).values_list("before", "after"))
            assert moves <= MOVES
            booked: dict[int, Decimal] = dict.fromkeys(ids, Decimal(0))
            seen = set()
            for fill in Fill.objects.filter(order__in=ids):
                booked[fill.order_id] += fill.quantity
                assert fill.broker_fill_id not in seen
                seen.add(fill.broker_fill_id)
            assert booked == {one.pk: one.filled_quantity for one in orders}

        @invariant()
        def the_rule_works_one_order_at_a_time(self) -> None:
            decided = [one for one in self.mine() if one.purpose != "manual" and not one.has_ended]
            assert len(decided) <= 1

        @invariant()
        def nothing_goes_below_zero_but_by_the_brokers_own_doing(self) -> None:
            cell = fresh(self.cell)
            if not self.overfilled:
                assert cell.shares >= 0

        def teardown(self) -> None:
            """Let everybody come to their senses: both sides end up with the same."""
            try:
                self.calm()
                for one in self.withheld:
                    self.hand_over(one)
                for _ in range(4):
                    self.pass_time(31)
                    orders_send(account_id=told_desk.account.pk)
                for known in self.at_broker():
                    broker.close(known)
                for _ in range(4):
                    self.pass_time(31)
                    orders_send(account_id=told_desk.account.pk)
                    agreed = account_reconcile(account_id=told_desk.account.pk)
                assert agreed.detail == "", list(told_desk.account.refused_reports.values_list("sentence", flat=True))
                self.settled()
            finally:
                broker.during_submit = None
                self.clock.stop()
                transaction.savepoint_rollback(self.before)

        def settled(self) -> None:
            for order in self.mine():
                assert order.has_ended, order.status
                assert order.filled_quantity == broker.filled(order.client_order_id)
                assert order.is_overfilled == (order.filled_quantity > order.quantity)
                if order.filled_quantity >= order.quantity:
                    assert order.status == "filled"
            assert Fill.objects.filter(order__cell=self.cell).count() == len(
                {report.broker_fill_id for report in broker.reports}
            )
            assert reconcile() == []

    run_state_machine_as_test(Days, settings=RANDOM)
