"""Corporate actions taken, corrected and settled by several workers at once, on PostgreSQL: each is booked once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from portfolios.models import Cell, LedgerEntry
from portfolios.selectors import reconcile
from portfolios.services import Origin
from tests.portfolios.at_once import at_once
from tests.trading.builders import Desk, fresh, make_actions, make_desk, open_cell, tick
from trading.models import ActionApplication, CorporateAction
from trading.services.action_changes import Correction, action_correct
from trading.services.corporate_actions import cells_settle
from volbal.common.errors import Conflict
from volbal.common.tenancy import tenant_scope
from volbal.strategy import Dividend, Split

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

DAYS = tuple(dt.date(2024, 3, day) for day in (7, 8, 11, 12))
REASON = Origin(task="test", reason="the issuer corrected it")


def at(day: dt.date, minute: int = 30) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(15, minute), dt.UTC)


def look(desk: Desk, day: dt.date, minute: int = 30) -> None:
    tick(desk.portfolio, {"IBM": 100}, at(day, minute))


def held() -> tuple[Desk, Cell]:
    desk = make_desk()
    with tenant_scope(desk.tenant.pk):
        return desk, open_cell(desk.portfolio, started=False)


def test_two_ticks_of_an_ex_date_take_it_once() -> None:
    desk, cell = held()
    with tenant_scope(desk.tenant.pk):
        make_actions(Split(DAYS[1], 2.0), Dividend(DAYS[1], 1.0, DAYS[1]))
        look(desk, DAYS[0])
        at_once([lambda: look(desk, DAYS[1], 30), lambda: look(desk, DAYS[1], 31)])
        row = fresh(cell)
        assert (row.shares, row.cash, ActionApplication.objects.count()) == (100, 5_075, 2)
        assert reconcile() == []


def test_a_correction_settled_twice_and_ticked_meanwhile_is_booked_once() -> None:
    desk, cell = held()
    with tenant_scope(desk.tenant.pk):
        make_actions(Dividend(DAYS[1], 1.0, DAYS[2]))
        for day in DAYS[:3]:
            look(desk, day)
        action = CorporateAction.objects.get()
        action_correct(action=action, correction=Correction(amount=Decimal("1.2")), origin=REASON)
        settle = lambda: cells_settle(instrument=action.instrument, origin=REASON)  # noqa: E731  # the call under test
        at_once([settle, settle, lambda: look(desk, DAYS[3])])
        assert fresh(cell).cash == 5_045
        assert LedgerEntry.objects.filter(reverses__isnull=False).count() == 3
        assert reconcile() == []


def test_of_two_people_who_correct_at_once_one_is_told() -> None:
    desk, cell = held()
    with tenant_scope(desk.tenant.pk):
        make_actions(Dividend(DAYS[1], 1.0, DAYS[2]))
        for day in DAYS[:3]:
            look(desk, day)
        action = CorporateAction.objects.get()

        def correct(amount: str) -> str:
            try:
                action_correct(
                    action=action, correction=Correction(amount=Decimal(amount)), origin=REASON, expected_revision=1
                )
            except Conflict:
                return "told"
            return "done"

        assert sorted(at_once([lambda: correct("2"), lambda: correct("3")])) == ["done", "told"]
        cells_settle(instrument=action.instrument, origin=REASON)
        known = CorporateAction.objects.get()
        assert known.revision == 2
        assert ActionApplication.objects.get().gross == 50 * (known.amount or 0)
        assert fresh(cell).cash == 5_000 + 50 * (known.amount or 0) * Decimal("0.75")
