"""Actions and fills that arrive late: the cell ends as if each had come on its day (strategy 8).

A cell of 50 shares and 5,000.00, opened on 6 March 2024 and anchored at 100. 7, 8, 11, 12, 13 March are sessions.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portfolios.models import Cell, LedgerEntry
from portfolios.selectors import reconcile
from portfolios.services import cell_set_anchor, parameters_change, portfolio_create
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import Desk, fresh, make_actions, open_cell, tick
from tests.trading.late_reports import DAYS, at, held, look, report
from trading.models import ActionApplication
from trading.services.corporate_actions import actions_apply
from volbal.strategy import Dividend, Split


@pytest.fixture
def cell(desk: Desk) -> Cell:
    """A cell that takes what is due and trades nothing by itself."""
    return open_cell(desk.portfolio, started=False)


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
