"""Actions and fills that arrive late or are corrected: the cell ends as if each had come on its day (strategy 8).

A cell of 50 shares and 5,000.00, opened on 6 March 2024 and anchored at 100. 7, 8, 11, 12, 13 March are sessions.
"""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from portfolios.models import Cell, Event, LedgerEntry
from portfolios.selectors import reconcile
from portfolios.services import Origin, cell_set_anchor, parameters_change, portfolio_create
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import Desk, fresh, make_actions, make_desk, open_cell, tick
from trading.brokers.base import FillReport
from trading.models import ActionApplication, ActionRevision, CorporateAction, Order
from trading.services.action_changes import Correction, action_correct
from trading.services.cash_in_lieu import cash_in_lieu_book
from trading.services.corporate_actions import actions_apply, cells_settle
from trading.services.fills import fill_book
from trading.services.order_states import order_move
from volbal.common.errors import Conflict, Refused
from volbal.common.tenancy import every_tenant, tenant_scope
from volbal.strategy import Dividend, Split

DAYS = tuple(dt.date(2024, 3, day) for day in (7, 8, 11, 12, 13))
REASON = Origin(task="test", reason="the issuer corrected it")


def at(day: dt.date, hour: int = 15, minute: int = 30) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), dt.UTC)


def held(cell: Cell) -> tuple[Decimal | None, ...]:
    row = fresh(cell)
    return row.shares, row.anchor, row.cash, row.receivable


def look(desk: Desk, *days: dt.date, price: str = "100") -> None:
    for day in days:
        tick(desk.portfolio, {"IBM": price}, at(day))


def report(cell: Cell, shares: str, price: str, as_of: dt.datetime, *, moves_anchor: bool = False) -> None:
    """Book a fill of an order that never was, as brokers report them: whenever."""
    quantity = abs(Decimal(shares))
    order = Order.objects.create(
        tenant_id=cell.tenant_id,
        account=cell.portfolio.account,
        cell=cell,
        side="BUY" if Decimal(shares) > 0 else "SELL",
        quantity=quantity if moves_anchor else quantity * 3,
        reason="trigger_down",
        quote_source="test",
        commission_rate=Decimal(0),
        status_at=as_of,
        as_of=as_of,
    )
    for status in (Order.Status.SUBMITTING, Order.Status.SUBMITTED):
        order_move(order, status)
    if not moves_anchor:
        order_move(order, Order.Status.EXPIRED)
    fill = FillReport(
        cursor=str(order.pk),
        broker_fill_id=f"F{order.pk}",
        client_order_id=order.client_order_id,
        quantity=quantity,
        price=Decimal(price),
        commission=Decimal(0),
        as_of=as_of,
    )
    assert fill_book(account=cell.portfolio.account, report=fill) is not None


@pytest.fixture
def cell(desk: Desk) -> Cell:
    """A cell that takes what is due and trades nothing by itself."""
    return open_cell(desk.portfolio, started=False)


def correct(action: CorporateAction, **changes: Any) -> CorporateAction:
    row = action_correct(action=action, correction=Correction(**changes), origin=REASON)
    cells_settle(instrument=row.instrument, origin=REASON)
    return row


class TestEntitlement:
    """Who gets a dividend is settled by what was held when the exchange's day before ended."""

    def test_what_was_bought_on_the_ex_date_before_its_first_look_is_not_entitled(self, desk: Desk, cell: Cell) -> None:
        look(desk, DAYS[0])
        make_actions(Dividend(DAYS[1], 1.0, DAYS[3]))
        report(cell, "10", "100", at(DAYS[1], 14, 31))
        look(desk, DAYS[1])
        application = ActionApplication.objects.get()
        assert (application.shares, application.gross, application.net) == (50, 50, Decimal("37.50"))

    def test_what_was_sold_on_the_ex_date_before_its_first_look_is_entitled(self, desk: Desk, cell: Cell) -> None:
        look(desk, DAYS[0])
        make_actions(Dividend(DAYS[1], 1.0, DAYS[3]))
        report(cell, "-10", "100", at(DAYS[1], 14, 31))
        look(desk, DAYS[1])
        assert ActionApplication.objects.get().shares == 50

    def test_after_hours_of_the_day_before_count_though_utc_is_on_the_next_day(self, desk: Desk, cell: Cell) -> None:
        look(desk, DAYS[0])
        make_actions(Dividend(DAYS[1], 1.0, DAYS[3]))
        report(cell, "10", "100", dt.datetime(2024, 3, 8, 0, 30, tzinfo=dt.UTC))  # 19:30 in New York on the 7th
        look(desk, DAYS[1])
        assert ActionApplication.objects.get().shares == 60

    def test_it_is_counted_after_a_split_of_the_same_date(self, desk: Desk, cell: Cell) -> None:
        look(desk, DAYS[0])
        make_actions(Dividend(DAYS[1], 0.6, DAYS[3]), Split(DAYS[1], 2.0))
        report(cell, "10", "50", at(DAYS[1], 14, 31))
        look(desk, DAYS[1])
        assert ActionApplication.objects.get(action__kind="dividend").shares == 100
        assert fresh(cell).shares == 110

    def test_a_late_fill_of_the_day_before_changes_it_by_opposite_entries(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(DAYS[1], 1.0, DAYS[3]))
        look(desk, *DAYS[:2])
        report(cell, "10", "100", at(DAYS[0]))
        look(desk, DAYS[2])
        booked = LedgerEntry.objects.filter(cell=cell, kind__in=("dividend", "tax")).order_by("id")
        # 50.00 and a quarter of it, both taken back, then 60 shares' 60.00 and 15.00.
        assert [one.receivable for one in booked] == [
            Decimal(text) for text in ("50.00", "-12.50", "12.50", "-50.00", "60.00", "-15.00")
        ]
        assert (fresh(cell).receivable, ActionApplication.objects.get().shares) == (45, 60)
        assert [one.reverses_id is not None for one in booked] == [False, False, True, True, False, False]
        look(desk, DAYS[3])
        assert fresh(cell).cash == 5_000 - 1_000 + 45
        assert reconcile() == []

    def test_a_late_fill_after_the_payment_corrects_cash(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(DAYS[1], 1.0, DAYS[1]))
        look(desk, *DAYS[:2])
        report(cell, "-10", "100", at(DAYS[0]))
        look(desk, DAYS[2])
        assert held(cell)[2:] == (5_000 + 1_000 + 30, 0)

    def test_a_late_fill_before_a_split_is_split_with_the_rest(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(DAYS[1], 2.0))
        look(desk, *DAYS[:2], price="50")
        report(cell, "10", "100", at(DAYS[0]))
        look(desk, DAYS[2], price="50")
        row = fresh(cell)
        assert (row.shares, row.anchor) == (120, 50)
        # (50 · 100 + 1,000) / 60, halved; ten shares bought since the anchor are twenty now.
        assert (row.average_cost, row.bought_since_anchor) == (50, 20)
        assert reconcile() == []

    def test_an_order_that_ends_late_moves_the_anchor_which_then_takes_the_dividend(
        self, desk: Desk, cell: Cell
    ) -> None:
        make_actions(Dividend(DAYS[1], 1.0, DAYS[3]))
        look(desk, *DAYS[:2])
        report(cell, "10", "97", at(DAYS[0]), moves_anchor=True)
        look(desk, DAYS[2])
        assert fresh(cell).anchor == 96


class TestLearnedLate:
    """Its date was looked at before anyone knew of it."""

    def test_a_dividend_follows_the_shares_of_its_date(self, desk: Desk, cell: Cell) -> None:
        look(desk, *DAYS[:2])
        report(cell, "-20", "100", at(DAYS[1]))
        make_actions(Dividend(DAYS[1], 1.0, DAYS[4]))
        look(desk, DAYS[2])
        application = ActionApplication.objects.get()
        assert (application.shares, application.learned_late) == (50, True)
        assert held(cell) == (30, 99, 7_000, Decimal("37.50"))

    def test_one_whose_pay_date_has_passed_is_cash_and_is_not_reinvested(self, desk: Desk) -> None:
        cell = open_cell(desk.portfolio, started=False, reinvest_dividends=True)
        look(desk, *DAYS[:3])
        make_actions(Dividend(DAYS[0], 1.0, DAYS[1]))
        look(desk, DAYS[3])
        assert held(cell) == (50, 99, Decimal("5037.50"), 0)

    def test_one_whose_pay_date_is_to_come_is_reinvested_then(self, desk: Desk) -> None:
        cell = open_cell(desk.portfolio, started=False, reinvest_dividends=True)
        look(desk, *DAYS[:2])
        make_actions(Dividend(DAYS[0], 1.0, DAYS[3]))
        look(desk, DAYS[2])
        look(desk, DAYS[3])
        assert held(cell) == (Decimal("50.375"), 99, 5_000, 0)

    def test_an_anchor_set_since_its_date_stays(self, desk: Desk, cell: Cell) -> None:
        look(desk, *DAYS[:2])
        cell_set_anchor(cell=cell, anchor=Decimal(98), as_of=at(DAYS[1]), origin=BY_TEST)
        make_actions(Dividend(DAYS[1], 1.0, DAYS[4]), Split(DAYS[0], 2.0))
        look(desk, DAYS[2])
        assert fresh(cell).anchor == 98

    def test_a_split_adds_what_it_gave_then_and_the_cost_is_as_on_time(self, desk: Desk, cell: Cell) -> None:
        look(desk, *DAYS[:2])
        report(cell, "30", "50", at(DAYS[1]))
        make_actions(Split(DAYS[1], 2.0))
        look(desk, DAYS[2], price="50")
        row = fresh(cell)
        assert (row.shares, row.anchor, row.bought_since_anchor) == (130, 50, 30)
        assert row.average_cost == 50
        assert LedgerEntry.objects.get(kind="split").shares == 50

    def test_a_split_before_one_that_was_taken_is_split_by_it_too(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(DAYS[1], 2.0))
        look(desk, *DAYS[:2], price="50")
        make_actions(Split(DAYS[0], 3.0))
        look(desk, DAYS[2], price="17")
        assert held(cell)[:2] == (300, Decimal("16.666667"))

    def test_the_tax_is_that_of_the_parameters_in_force_on_its_date(
        self, desk: Desk, cell: Cell, time_machine: Any
    ) -> None:
        time_machine.move_to(at(DAYS[1]), tick=False)
        look(desk, *DAYS[:2])
        parameters_change(cell=cell, values={"withholding_rate": 0.1}, origin=BY_TEST)
        make_actions(Dividend(DAYS[0], 1.0, DAYS[4]))
        look(desk, DAYS[2])
        make_actions(Dividend(DAYS[3], 1.0, DAYS[4]))
        look(desk, DAYS[3])
        assert [one.tax for one in ActionApplication.objects.order_by("id")] == [Decimal("12.50"), 5]

    def test_what_lies_before_the_opening_stays_out(self, desk: Desk, cell: Cell) -> None:
        look(desk, *DAYS[:2])
        make_actions(Split(dt.date(2024, 3, 6), 2.0), Dividend(dt.date(2024, 3, 5), 1.0, DAYS[4]))
        look(desk, DAYS[2])
        assert held(cell) == (50, 100, 5_000, 0)
        assert not ActionApplication.objects.exists()


class TestCorrections:
    """What was announced turns out to be wrong."""

    @pytest.fixture
    def dividend(self, desk: Desk, cell: Cell) -> CorporateAction:
        make_actions(Dividend(DAYS[1], 1.0, DAYS[2]))
        look(desk, *DAYS[:3])
        assert held(cell) == (50, 99, Decimal("5037.50"), 0)
        return CorporateAction.objects.get()

    def test_another_amount(self, cell: Cell, dividend: CorporateAction) -> None:
        correct(dividend, amount=Decimal("1.2"))
        assert held(cell) == (50, Decimal("98.8"), 5_045, 0)
        application = ActionApplication.objects.get()
        assert (application.gross, application.booking, application.revision) == (60, 2, 2)
        assert application.corrected_at is not None
        assert reconcile() == []

    def test_it_is_corrected_once_however_often_it_is_asked(
        self, desk: Desk, cell: Cell, dividend: CorporateAction
    ) -> None:
        correct(dividend, amount=Decimal("1.2"))
        cells_settle(instrument=dividend.instrument, origin=REASON)
        look(desk, DAYS[3])
        assert LedgerEntry.objects.filter(reverses__isnull=False).count() == 3
        assert Event.objects.filter(kind="cell.action_corrected").count() == 1

    def test_without_settling_the_next_tick_does_it(self, desk: Desk, cell: Cell, dividend: CorporateAction) -> None:
        action_correct(action=dividend, correction=Correction(amount=Decimal("1.2")), origin=REASON)
        look(desk, DAYS[3])
        assert held(cell) == (50, Decimal("98.8"), 5_045, 0)

    def test_withdrawn(self, cell: Cell, dividend: CorporateAction) -> None:
        correct(dividend, is_withdrawn=True)
        assert held(cell) == (50, 100, 5_000, 0)
        assert not CorporateAction.objects.exists()
        with pytest.raises(Refused, match="withdrawn"):
            correct(dividend_again(), amount=Decimal(2))

    def test_withdrawn_and_announced_anew(self, desk: Desk, cell: Cell, dividend: CorporateAction) -> None:
        correct(dividend, is_withdrawn=True)
        make_actions(Dividend(DAYS[1], 1.0, DAYS[2]))
        look(desk, DAYS[3])
        assert held(cell) == (50, 99, Decimal("5037.50"), 0)

    def test_another_date_follows_the_shares_of_that_date(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(DAYS[1], 1.0, DAYS[4]))
        look(desk, *DAYS[:2])
        report(cell, "10", "100", at(DAYS[1]))
        look(desk, DAYS[2])
        row = correct(CorporateAction.objects.get(), ex_date=DAYS[2])
        assert (fresh(cell).receivable, row.earliest_ex_date) == (45, DAYS[1])

    def test_moved_into_the_future_it_is_taken_back_and_taken_then(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(DAYS[1], 1.0, DAYS[4]))
        look(desk, *DAYS[:3])
        correct(CorporateAction.objects.get(), ex_date=DAYS[3])
        assert held(cell) == (50, 100, 5_000, 0)
        look(desk, DAYS[3])
        assert held(cell) == (50, 99, 5_000, Decimal("37.50"))
        assert reconcile() == []

    def test_a_pay_date_that_becomes_known_moves_no_money_before_it(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(DAYS[1], 1.0))
        look(desk, *DAYS[:2])
        correct(CorporateAction.objects.get(), pay_date=DAYS[3])
        assert LedgerEntry.objects.filter(kind="dividend").count() == 1
        look(desk, DAYS[2])
        assert fresh(cell).receivable == Decimal("37.50")
        look(desk, DAYS[3])
        assert held(cell)[2:] == (Decimal("5037.50"), 0)

    def test_another_ratio(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(DAYS[1], 2.0))
        look(desk, *DAYS[:2], price="50")
        report(cell, "10", "50", at(DAYS[1]))
        correct(CorporateAction.objects.get(), ratio=Decimal("1.5"))
        row = fresh(cell)
        assert (row.shares, row.anchor, row.bought_since_anchor) == (85, Decimal("66.666667"), 10)
        # 5,000 over 75 shares, then 500 more over 10.
        assert row.average_cost == Decimal("64.7058823529")

    def test_a_split_taken_back(self, desk: Desk, cell: Cell) -> None:
        make_actions(Split(DAYS[1], 2.0))
        look(desk, *DAYS[:2], price="50")
        split = ActionApplication.objects.get()
        cash_in_lieu_book(application=split, amount=Decimal("1.23"), as_of=at(DAYS[1]), origin=REASON)
        correct(CorporateAction.objects.get(), is_withdrawn=True)
        row = fresh(cell)
        assert (row.shares, row.anchor, row.average_cost, row.cash) == (50, 100, 100, Decimal("5001.23"))

    def test_a_reinvested_dividend_is_reinvested_anew_at_its_price(self, desk: Desk) -> None:
        cell = open_cell(desk.portfolio, started=False, reinvest_dividends=True)
        make_actions(Dividend(DAYS[1], 1.0, DAYS[2]))
        look(desk, *DAYS[:3])
        assert held(cell) == (Decimal("50.375"), 99, 5_000, 0)
        correct(CorporateAction.objects.get(), amount=Decimal(2))
        assert held(cell) == (Decimal("50.75"), 98, 5_000, 0)
        assert fresh(cell).average_cost == 100
        assert reconcile() == []

    def test_an_anchor_that_was_used_up_comes_back(self, desk: Desk, cell: Cell) -> None:
        make_actions(Dividend(DAYS[1], 100.0, DAYS[4]))
        look(desk, *DAYS[:2])
        assert fresh(cell).anchor is None
        correct(CorporateAction.objects.get(), amount=Decimal("1.0"))
        assert (fresh(cell).anchor, fresh(cell).status_reason) == (99, "")

    def test_every_revision_is_kept_with_who_and_why(self, dividend: CorporateAction) -> None:
        correct(dividend, amount=Decimal("1.2"))
        told = list(ActionRevision.objects.order_by("number").values_list("number", "amount", "reason"))
        assert told == [(1, 1, ""), (2, Decimal("1.2"), "the issuer corrected it")]

    def test_two_at_once_do_not_both_correct(self, dividend: CorporateAction) -> None:
        action_correct(action=dividend, correction=Correction(amount=Decimal(2)), origin=REASON, expected_revision=1)
        with pytest.raises(Conflict):
            action_correct(
                action=dividend, correction=Correction(amount=Decimal(3)), origin=REASON, expected_revision=1
            )

    @pytest.mark.parametrize(
        "changes, told",
        [
            ({"amount": Decimal(0)}, "above 0"),
            ({"amount": Decimal("1.0")}, "nothing was changed"),
            ({"ratio": Decimal(2)}, "no ratio"),
            ({"pay_date": DAYS[0]}, "before ex_date"),
        ],
    )
    def test_what_cannot_be_is_refused(self, dividend: CorporateAction, changes: dict[str, Any], told: str) -> None:
        with pytest.raises(Refused, match=told):
            action_correct(action=dividend, correction=Correction(**changes), origin=REASON)
        assert CorporateAction.objects.get().revision == 1

    def test_an_archived_cell_keeps_its_books(self, cell: Cell, dividend: CorporateAction) -> None:
        Cell.objects.update(status="archived")
        correct(dividend, amount=Decimal(2))
        assert fresh(cell).cash == Decimal("5037.50")

    def test_every_firms_cells_are_corrected_and_none_out_of_scope(self, desk: Desk, dividend: CorporateAction) -> None:
        south = make_desk("south")
        with tenant_scope(south.tenant.pk):
            theirs = open_cell(south.portfolio, started=False)
            look(south, *DAYS[:3])
        with tenant_scope(desk.tenant.pk):
            correct(dividend, amount=Decimal(2))
        with tenant_scope(south.tenant.pk):
            assert fresh(theirs).cash == Decimal("5037.50")
        with every_tenant():
            cells_settle(instrument=dividend.instrument, origin=REASON)
        with tenant_scope(south.tenant.pk):
            assert fresh(theirs).cash == 5_075


def dividend_again() -> CorporateAction:
    return CorporateAction.with_withdrawn.get()


class TestQueries:
    """A tick asks little where nothing is due, and as much for many cells as for one where something is."""

    def test_nothing_due_asks_nothing(self, desk: Desk, cell: Cell, django_assert_num_queries: Any) -> None:
        make_actions(Dividend(DAYS[1], 1.0, DAYS[2]))
        look(desk, DAYS[0])
        cells = list(Cell.objects.select_related("instrument", "parameters", "portfolio__account"))
        with django_assert_num_queries(0):
            actions_apply(cells=cells, days={cell.pk: DAYS[0]}, prices={}, as_of=at(DAYS[0]), open_orders=frozenset())

    def test_many_cells_ask_no_more_than_one(self, desk: Desk) -> None:
        few, many = ("IBM",), tuple(f"S{number}" for number in range(12))
        other = portfolio_create(account=desk.account, name="Other", mode="paper", feed="synthetic", origin=BY_TEST)
        asked = []
        for portfolio, symbols in ((desk.portfolio, few), (other, many)):
            for symbol in symbols:
                open_cell(portfolio, symbol, started=False)
                make_actions(Dividend(DAYS[1], 1.0, DAYS[1]), Split(DAYS[1], 2.0), symbol=symbol)
            tick(portfolio, dict.fromkeys(symbols, 100), at(DAYS[0]))
            with CaptureQueriesContext(connection) as queries:
                tick(portfolio, dict.fromkeys(symbols, 50), at(DAYS[1]))
            # The builder looks up each instrument for its quote.
            asked.append(len(queries) - len(symbols))
        assert asked[1] == asked[0]
        assert ActionApplication.objects.filter(paid_at__isnull=False).count() == 26


# Everything that happens to a cell, each on its day; what matters is that the order of arrival does not.
ACTIONS = st.lists(
    st.one_of(
        st.builds(
            Dividend,
            st.sampled_from(DAYS[1:4]),
            st.sampled_from([0.333333, 1.0, 7.5]),
            st.sampled_from([DAYS[3], DAYS[4]]),
        ),
        st.builds(Split, st.sampled_from(DAYS[1:4]), st.sampled_from([2.0, 0.1, 1.5])),
    ),
    max_size=4,
    unique_by=lambda one: (type(one), one.ex_date),
)
FILLS = st.lists(st.tuples(st.sampled_from(["10", "-7.5", "3.333333"]), st.sampled_from(DAYS[:4])), max_size=4)


@pytest.mark.django_db
# Making a failing case smaller takes minutes: each try is a whole market.
@settings(
    max_examples=15,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=ACTIONS, fills=FILLS, seed=st.integers(0, 2**32))
def test_the_order_of_arrival_changes_nothing(
    actions: list[Dividend | Split], fills: list[tuple[str, dt.date]], seed: int
) -> None:
    with every_tenant(), transaction.atomic():
        on_time, late = make_desk("on-time"), make_desk("late")
        first, second = (
            open_cell(on_time.portfolio, "AONE", started=False),
            open_cell(late.portfolio, "BTWO", started=False),
        )
        for one in actions:
            make_actions(one, symbol="AONE")
        _pass(on_time, first, "AONE", {day: [one for one in fills if one[1] == day] for day in DAYS})
        shuffled = random.Random(seed)
        arrivals: list[Any] = [*actions, *fills]
        shuffled.shuffle(arrivals)
        _arrive(late, second, arrivals, shuffled)
        assert _state(second) == _state(first)
        assert reconcile() == []
        transaction.set_rollback(True)


def _pass(desk: Desk, cell: Cell, symbol: str, fills: dict[dt.date, list[tuple[str, dt.date]]]) -> None:
    for day in DAYS:
        tick(desk.portfolio, {symbol: 100}, at(day, 14, 31))
        for shares, _ in fills[day]:
            report(fresh(cell), shares, "100", at(day))
    tick(desk.portfolio, {symbol: 100}, at(DAYS[-1], 19))


def _arrive(desk: Desk, cell: Cell, arrivals: list[Any], shuffled: random.Random) -> None:
    """Let everything arrive on any day, but no fill before its own."""
    for place, day in enumerate(DAYS):
        tick(desk.portfolio, {"BTWO": 100}, at(day, 14, 31))
        for one in list(arrivals):
            is_fill = isinstance(one, tuple)
            if (is_fill and one[1] > day) or (place < len(DAYS) - 1 and shuffled.random() < 0.5):
                continue
            arrivals.remove(one)
            if is_fill:
                report(fresh(cell), one[0], "100", at(one[1]))
            else:
                make_actions(one, symbol="BTWO")
            if shuffled.random() < 0.3:
                cells_settle(instrument=cell.instrument, origin=REASON)
    tick(desk.portfolio, {"BTWO": 100}, at(DAYS[-1], 19))


def _state(cell: Cell) -> tuple[Any, ...]:
    row = fresh(cell)
    return row.cash, row.receivable, row.shares, row.anchor, row.bought_since_anchor, row.sold_since_anchor
