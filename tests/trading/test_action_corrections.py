"""Announcements that turn out to be wrong: the cell ends as if they had been right (strategy 8).

A cell of 50 shares and 5,000.00, opened on 6 March 2024 and anchored at 100. 7, 8, 11, 12, 13 March are sessions.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from portfolios.models import Cell, Event, LedgerEntry
from portfolios.selectors import reconcile
from tests.trading.builders import Desk, fresh, make_actions, make_desk, open_cell
from tests.trading.late_reports import DAYS, REASON, at, correct, held, look, report
from trading.models import ActionApplication, ActionRevision, CorporateAction
from trading.services.action_changes import Correction, action_correct
from trading.services.cash_in_lieu import cash_in_lieu_book
from trading.services.corporate_actions import cells_settle
from volbal.common.errors import Conflict, Refused
from volbal.common.tenancy import every_tenant, tenant_scope
from volbal.strategy import Dividend, Split


@pytest.fixture
def cell(desk: Desk) -> Cell:
    """A cell that takes what is due and trades nothing by itself."""
    return open_cell(desk.portfolio, started=False)


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
