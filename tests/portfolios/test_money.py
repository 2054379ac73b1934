"""Money and shares that people move, and taking it back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portfolios import services
from portfolios.models import BrokerAccount, Cell, Event, LedgerEntry
from portfolios.selectors import Totals, ledger_totals, reconcile
from portfolios.services import Movement, Origin
from tests.portfolios.builders import AS_OF, BY_TEST, Firm, make_cell
from volbal.common.errors import Refused, VolbalError

WHEN = {"as_of": AS_OF, "origin": BY_TEST}


def test_deposits_and_withdrawals_move_the_totals_with_their_entries(cell: Cell) -> None:
    services.cell_deposit(cell=cell, cash=Decimal("100.10"), **WHEN)
    services.cell_withdraw(cell=cell, cash=Decimal("0.10"), shares=Decimal("1.5"), **WHEN)
    assert (cell.cash, cell.shares) == (Decimal("5100.00"), Decimal("48.5"))
    assert ledger_totals(cell=cell) == Totals(Decimal("5100.00"), Decimal("48.500000"), Decimal("0.00"))


def test_deposited_shares_join_the_average_cost(cell: Cell) -> None:
    services.cell_deposit(cell=cell, shares=Decimal(25), price=Decimal(130), **WHEN)
    assert Cell.objects.get(pk=cell.pk).average_cost == Decimal(110)


def test_shares_need_their_price(cell: Cell) -> None:
    with pytest.raises(Refused, match="2 shares come without a price"):
        services.cell_deposit(cell=cell, shares=Decimal(2), **WHEN)


@pytest.mark.parametrize(
    "amounts,told",
    [
        ({"cash": Decimal("5000.01")}, "IBM holds 5,000.00 cash and 5,000.01 was asked for: 0.01 too much."),
        ({"shares": Decimal("50.000001")}, "IBM holds 50.000000 shares and 50.000001 was asked for: 0.000001 too"),
        ({"cash": Decimal(-1)}, "cash is -1; expected at least 0"),
        ({}, "The amount is 0"),
    ],
)
def test_more_than_is_held_is_refused_with_the_numbers(cell: Cell, amounts: dict[str, Decimal], told: str) -> None:
    entries, events = LedgerEntry.objects.count(), Event.objects.count()
    with pytest.raises(Refused) as refusal:
        services.cell_withdraw(cell=cell, **amounts, **WHEN)
    assert told in str(refusal.value)
    assert (LedgerEntry.objects.count(), Event.objects.count()) == (entries, events)
    assert Cell.objects.get(pk=cell.pk).cash == Decimal(5_000)


def test_an_account_pays_out_only_what_no_cell_has(firm: Firm) -> None:
    make_cell(firm)
    with pytest.raises(Refused, match=r"holds 10,000\.00 unallocated cash and 10,000\.01 was asked for"):
        services.account_withdraw(account=firm.account, amount=Decimal("10000.01"), **WHEN)
    services.account_withdraw(account=firm.account, amount=Decimal(10_000), **WHEN)
    assert BrokerAccount.objects.get(pk=firm.account.pk).unallocated_cash == 0


def test_a_transfer_moves_both_ends_or_none(firm: Firm) -> None:
    cell, other = make_cell(firm), make_cell(firm, "AAPL")
    services.cash_transfer(source=firm.account, destination=cell, amount=Decimal(1_000), **WHEN)
    services.cash_transfer(source=cell, destination=other, amount=Decimal(500), **WHEN)
    services.cash_transfer(source=other, destination=firm.account, amount=Decimal(250), **WHEN)
    assert (firm.account.unallocated_cash, cell.cash, other.cash) == (9_250, 5_500, 5_250)
    with pytest.raises(Refused, match=r"holds 5,500\.00 cash and 6,000\.00 was asked for"):
        services.cash_transfer(source=cell, destination=firm.account, amount=Decimal(6_000), **WHEN)
    assert reconcile() == []


def test_a_transfer_stays_in_one_account(firm: Firm, cell: Cell) -> None:
    second = services.account_create(tenant=firm.tenant, name="Second", broker="paper", origin=BY_TEST)
    with pytest.raises(Refused, match="expected one account"):
        services.cash_transfer(source=second, destination=cell, amount=Decimal(1), **WHEN)
    with pytest.raises(Refused, match="both source and destination"):
        services.cash_transfer(source=cell, destination=cell, amount=Decimal(1), **WHEN)


def test_an_adjustment_needs_a_reason_and_leaves_nothing_below_zero(cell: Cell) -> None:
    with pytest.raises(Refused, match="needs a reason"):
        services.cell_adjust(cell=cell, cash=Decimal(1), as_of=AS_OF, origin=Origin())
    with pytest.raises(Refused, match=r"holds 0\.00 receivable and 1\.00 was asked for"):
        services.cell_adjust(cell=cell, receivable=Decimal(-1), **WHEN)
    services.cell_adjust(cell=cell, cash=Decimal("-0.05"), shares=Decimal("0.5"), **WHEN)
    assert (cell.cash, cell.shares) == (Decimal("4999.95"), Decimal("50.5"))


def test_the_same_key_books_once(firm: Firm, cell: Cell) -> None:
    for _ in range(2):
        services.cell_deposit(cell=cell, cash=Decimal(10), key="form:1", **WHEN)
        services.cash_transfer(source=firm.account, destination=cell, amount=Decimal(5), key="form:2", **WHEN)
        services.account_deposit(account=firm.account, amount=Decimal(1), key="form:3", **WHEN)
    assert (cell.cash, firm.account.unallocated_cash) == (5_015, 9_996)
    assert Event.objects.filter(kind="cell.deposited").count() == 1
    assert Event.objects.filter(kind="cash.transferred").count() == 2


def _entry(cell: Cell, kind: str) -> LedgerEntry:
    return LedgerEntry.objects.filter(cell=cell, kind=kind, reverses=None).latest("id")


def test_a_reversal_is_the_opposite_entry_once(cell: Cell) -> None:
    services.cell_deposit(cell=cell, cash=Decimal(100), **WHEN)
    entry = _entry(cell, "deposit")
    (opposite,) = services.entry_reverse(entry=entry, **WHEN)
    assert (opposite.cash, opposite.reverses_id, opposite.kind) == (Decimal(-100), entry.pk, "deposit")
    with pytest.raises(Refused, match="reversed already"):
        services.entry_reverse(entry=entry, **WHEN)
    with pytest.raises(Refused, match="itself a reversal"):
        services.entry_reverse(entry=opposite, **WHEN)
    assert Cell.objects.get(pk=cell.pk).cash == Decimal(5_000)


def test_a_transfer_is_reversed_at_both_ends(firm: Firm, cell: Cell) -> None:
    services.cash_transfer(source=firm.account, destination=cell, amount=Decimal(700), **WHEN)
    booked = services.entry_reverse(entry=_entry(cell, "transfer"), **WHEN)
    assert sorted(entry.cash for entry in booked) == [-700, 700]
    assert Cell.objects.get(pk=cell.pk).cash == 5_000
    assert BrokerAccount.objects.get(pk=firm.account.pk).unallocated_cash == 10_000


def test_money_that_was_used_is_not_taken_back(cell: Cell) -> None:
    services.cell_deposit(cell=cell, cash=Decimal(100), **WHEN)
    entry = _entry(cell, "deposit")
    services.cell_withdraw(cell=cell, cash=Decimal("5000.01"), **WHEN)
    with pytest.raises(Refused, match=r"holds 99\.99 cash and 100\.00 was asked for"):
        services.entry_reverse(entry=entry, **WHEN)
    assert not LedgerEntry.objects.filter(reverses=entry).exists()


def test_a_fact_of_the_broker_is_not_reversed_by_hand(cell: Cell) -> None:
    with pytest.raises(Refused, match="of kind opening; only deposits"):
        services.entry_reverse(entry=_entry(cell, "opening"), **WHEN)


def test_a_brokers_fact_is_booked_even_below_zero(cell: Cell) -> None:
    movements = [Movement("buy", "fill:1:buy", cash=Decimal(-6_000), shares=Decimal(60), price=Decimal(100))]
    posted = services.ledger_post(
        account=cell.portfolio.account, cell=cell, movements=movements, average_cost=Decimal(100), **WHEN
    )
    assert len(posted) == 1
    assert (cell.cash, cell.shares) == (Decimal(-1_000), Decimal(110))
    again = services.ledger_post(account=cell.portfolio.account, cell=cell, movements=movements, **WHEN)
    assert again == []
    assert Cell.objects.get(pk=cell.pk).cash == Decimal(-1_000)


def test_half_a_cause_is_an_error(cell: Cell) -> None:
    buy = Movement("buy", "fill:1:buy", cash=Decimal(-100), shares=Decimal(1))
    fee = Movement("commission", "fill:1:commission", cash=Decimal("-0.01"))
    services.ledger_post(account=cell.portfolio.account, cell=cell, movements=[buy], **WHEN)
    with pytest.raises(VolbalError, match="fill:1:buy booked already, fill:1:commission not"):
        services.ledger_post(account=cell.portfolio.account, cell=cell, movements=[buy, fee], **WHEN)


@pytest.mark.parametrize(
    "options",
    [{"cash": Decimal("0.001")}, {"shares": Decimal("1e-7")}, {"kind": "gift"}, {"receivable": Decimal("inf")}],
)
def test_a_movement_that_cannot_be_kept_exactly_does_not_exist(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected whole steps|not a valid"):
        Movement(**({"kind": "deposit", "key": "x"} | options))


def test_an_accounts_own_cash_has_no_shares(firm: Firm) -> None:
    with pytest.raises(ValueError, match="expected a cell"):
        services.ledger_post(account=firm.account, movements=[Movement("deposit", "x", shares=Decimal(1))], **WHEN)
