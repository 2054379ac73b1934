"""Row locks between writers who come at once: nothing is booked twice, overdrawn, lost or waited for for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from portfolios import services
from portfolios.models import BrokerAccount, Cell, LedgerEntry, Membership, ParameterVersion
from portfolios.selectors import reconcile
from portfolios.services import Movement
from tests.portfolios.at_once import at_once
from tests.portfolios.builders import AS_OF, BY_TEST, Firm, make_cell, make_firm, make_member
from volbal.common.errors import VolbalError
from volbal.common.tenancy import tenant_scope

pytestmark = pytest.mark.services
WHEN = {"as_of": AS_OF, "origin": BY_TEST}
WRITERS = 6


@pytest.fixture
def firm(transactional_db: None) -> Iterator[Firm]:
    made = make_firm()
    with tenant_scope(made.tenant.pk):
        yield made


def _outcome(call: Callable[[], object]) -> Callable[[], str]:
    def run() -> str:
        try:
            call()
        except VolbalError as refusal:
            return refusal.code
        return "done"

    return run


def _own(cell: Cell) -> Cell:
    """Return the cell as a writer of its own would have loaded it."""
    return Cell.objects.select_related("portfolio__account").get(pk=cell.pk)


def test_withdrawals_at_once_never_take_more_than_there_is(firm: Firm) -> None:
    cell = make_cell(firm)
    copies = [_own(cell) for _ in range(WRITERS)]
    outcomes = at_once(
        [_outcome(lambda one=one: services.cell_withdraw(cell=one, cash=Decimal(2_000), **WHEN)) for one in copies]
    )
    assert sorted(outcomes) == ["done"] * 2 + ["insufficient_funds"] * (WRITERS - 2)
    assert _own(cell).cash == Decimal(1_000)
    assert reconcile() == []


def test_a_fill_told_by_many_at_once_is_booked_once(firm: Firm) -> None:
    cell = make_cell(firm)
    movements = [
        Movement("buy", "fill:1:buy", cash=Decimal(-100), shares=Decimal(1)),
        Movement("commission", "fill:1:commission", cash=Decimal("-0.01")),
    ]
    copies = [_own(cell) for _ in range(WRITERS)]
    booked = at_once(
        [
            lambda one=one: len(services.ledger_post(account=firm.account, cell=one, movements=movements, **WHEN))
            for one in copies
        ]
    )
    assert sorted(booked) == [0] * (WRITERS - 1) + [2]
    assert (_own(cell).cash, _own(cell).shares) == (Decimal("4899.99"), Decimal(51))


def test_transfers_in_both_directions_at_once_end(firm: Firm) -> None:
    one, other = make_cell(firm, "IBM"), make_cell(firm, "AAPL")

    def move(source: object, destination: object) -> Callable[[], str]:
        return _outcome(
            lambda: services.cash_transfer(source=source, destination=destination, amount=Decimal(10), **WHEN)
        )

    routes = [(one, other), (other, one), (firm.account, one), (one, firm.account), (other, firm.account)]
    calls = [
        move(*(BrokerAccount.objects.get(pk=end.pk) if isinstance(end, BrokerAccount) else _own(end) for end in route))
        for route in routes * 2
    ]
    assert set(at_once(calls)) == {"done"}
    account = BrokerAccount.objects.get(pk=firm.account.pk)
    assert _own(one).cash + _own(other).cash + account.unallocated_cash == Decimal(20_000)
    assert reconcile() == []


def test_one_of_many_writers_who_saw_the_same_version_wins(firm: Firm) -> None:
    cell = make_cell(firm)
    seen = cell.version
    copies = [_own(cell) for _ in range(WRITERS)]
    outcomes = at_once(
        [
            _outcome(
                lambda one=one, number=number: services.parameters_change(
                    cell=one, values={"trigger_up": (5 + number) / 100}, origin=BY_TEST, expected_version=seen
                )
            )
            for number, one in enumerate(copies)
        ]
    )
    assert sorted(outcomes) == ["conflict"] * (WRITERS - 1) + ["done"]
    assert sorted(ParameterVersion.objects.values_list("number", flat=True)) == [1, 2]


def test_two_owners_who_leave_at_once_leave_one(firm: Firm) -> None:
    make_member(firm, "owner", "second@example.com")
    owners = list(Membership.objects.filter(tenant=firm.tenant, role="owner").select_related("tenant"))
    outcomes = at_once([_outcome(lambda one=one: services.member_remove(member=one, origin=BY_TEST)) for one in owners])
    assert sorted(outcomes) == ["done", "last_owner"]


def test_a_reversal_asked_for_by_many_at_once_is_booked_once(firm: Firm) -> None:
    cell = make_cell(firm)
    services.cell_deposit(cell=cell, cash=Decimal(100), **WHEN)
    entry = LedgerEntry.objects.get(cell=cell, kind="deposit")
    outcomes = at_once([_outcome(lambda: services.entry_reverse(entry=entry, **WHEN))] * WRITERS)
    assert sorted(outcomes) == ["already_reversed"] * (WRITERS - 1) + ["done"]
    assert _own(cell).cash == Decimal(5_000)
