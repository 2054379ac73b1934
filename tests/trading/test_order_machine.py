"""An order's life at random: no move outside the table, one order at the broker, every report booked once."""

from __future__ import annotations

from decimal import Decimal

import time_machine
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from portfolios.models import Cell
from portfolios.selectors import reconcile
from tests.trading.builders import OPEN, Desk, fresh, open_cell
from tests.trading.standin import StandInBroker
from tests.trading.test_order_states import MOVES, STATES, make_order
from trading.brokers.base import BrokerOrder, BrokerOrderStatus, BrokerUpdate, FillReport
from trading.models import Fill, Order
from trading.services.broker_updates import broker_update_apply
from trading.services.fills import fill_book
from trading.services.order_cancels import CANCELLABLE, order_cancel
from trading.services.order_states import ForbiddenMoveError, order_claim, order_move
from trading.services.orders import orders_send

QUIET = settings(
    max_examples=12,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ENDS = [BrokerOrderStatus(name) for name in ("cancelled", "rejected", "expired", "filled")]


def test_an_order_makes_the_moves_of_its_table_and_no_others(desk: Desk, cell: Cell) -> None:
    class Moves(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.order = make_order(cell, "intent")
            self.state, self.moves = "intent", 0

        @rule(after=st.sampled_from(STATES))
        def move(self, after: str) -> None:
            allowed = (self.state, after) in MOVES
            try:
                order_move(self.order, Order.Status(after), detail="why")
            except ForbiddenMoveError:
                assert not allowed
            else:
                assert allowed
                self.state, self.moves = after, self.moves + 1

        @rule(before=st.sampled_from(STATES), after=st.sampled_from(STATES))
        def move_by_one_who_knows_no_better(self, before: str, after: str) -> None:
            late = Order.objects.get(pk=self.order.pk)
            late.status = before
            if before == self.state or (before, after) not in MOVES:
                return
            assert not order_claim(late, Order.Status(after))

        @invariant()
        def the_row_and_its_history_are_what_was_allowed(self) -> None:
            self.order.refresh_from_db()
            kept = list(self.order.transitions.values_list("before", "after"))
            assert (self.order.status, len(kept)) == (self.state, self.moves)
            assert set(kept) <= MOVES
            assert [after for _, after in kept[:-1]] == [before for before, _ in kept[1:]]

    run_state_machine_as_test(Moves, settings=QUIET)


def test_whatever_happens_between_us_and_the_broker_the_books_agree(told_desk: Desk, broker: StandInBroker) -> None:
    cells = (open_cell(told_desk.portfolio, f"S{number:03d}") for number in range(1000))

    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.clock = time_machine.travel(OPEN, tick=False)
            self.now = self.clock.start()
            broker.book.clear()
            broker.silent = broker.silent_after_accepting = broker.forgets = broker.slow_to_cancel = False
            self.cell = next(cells)
            self.order = make_order(self.cell, "intent")
            Order.objects.filter(pk=self.order.pk).update(quantity=10, decision_price=104)
            self.id = self.order.client_order_id

        def mine(self) -> list[FillReport]:
            return [report for report in broker.reports if report.client_order_id == self.id]

        @rule(kind=st.sampled_from(["silent", "silent_after_accepting", "forgets", "slow_to_cancel"]), on=st.booleans())
        def mood(self, kind: str, on: bool) -> None:
            setattr(broker, kind, on)

        @rule(seconds=st.sampled_from([1, 11, 31]))
        def send(self, seconds: int) -> None:
            self.now.shift(seconds)
            orders_send(account_id=told_desk.account.pk)

        @precondition(lambda self: self.id in broker.book and len(self.mine()) < 4)
        @rule(shares=st.sampled_from(["1", "4.5", "10"]))
        def fill(self, shares: str) -> None:
            broker.fill(self.id, shares, 104, as_of=OPEN)

        @precondition(lambda self: self.mine())
        @rule(data=st.data())
        def repeat_a_report(self, data: st.DataObject) -> None:
            fill_book(account=told_desk.account, report=data.draw(st.sampled_from(self.mine())))

        @precondition(lambda self: self.id in broker.book)
        @rule(status=st.sampled_from(ENDS))
        def end(self, status: BrokerOrderStatus) -> None:
            broker.close(self.id, status)

        @precondition(lambda self: self.id in broker.book)
        @rule(data=st.data(), says=st.booleans())
        def stream(self, data: st.DataObject, says: bool) -> None:
            """Tell how the order stands, with or without how much is filled, and perhaps a report, late or not."""
            known = broker.book[self.id]
            told = BrokerOrder(self.id, "S1", known.status, broker.filled(self.id) if says else None)
            report: FillReport | None = data.draw(st.sampled_from([None, *self.mine()]))
            broker_update_apply(account=told_desk.account, update=BrokerUpdate(told, report))

        @rule()
        def cancel(self) -> None:
            order = Order.objects.get(pk=self.order.pk)
            if order.status in CANCELLABLE:
                order_cancel(order=order, detail="by hand")

        @invariant()
        def nothing_is_placed_or_booked_twice(self) -> None:
            self.order.refresh_from_db()
            assert len(broker.book) <= 1
            assert set(self.order.transitions.values_list("before", "after")) <= MOVES
            booked = list(Fill.objects.filter(order=self.order).values_list("broker_fill_id", flat=True))
            assert len(booked) == len(set(booked)) <= len(self.mine())
            assert fresh(self.cell).shares == 50 - self.order.filled_quantity

        def teardown(self) -> None:
            """Let the broker come to its senses: whatever happened, both sides end up with the same."""
            try:
                broker.silent = broker.silent_after_accepting = broker.forgets = broker.slow_to_cancel = False
                for _ in range(4):
                    self.now.shift(31)
                    orders_send(account_id=told_desk.account.pk)
                if self.id in broker.book:
                    broker.close(self.id)
                self.now.shift(31)
                orders_send(account_id=told_desk.account.pk)
                self.order.refresh_from_db()
                assert self.order.has_ended
                assert self.order.filled_quantity == broker.filled(self.id)
                assert self.order.is_overfilled == (broker.filled(self.id) > Decimal(10))
                if self.order.filled_quantity >= 10:
                    assert self.order.status == "filled"
                assert reconcile() == []
            finally:
                self.clock.stop()

    run_state_machine_as_test(Life, settings=QUIET)
