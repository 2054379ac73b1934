"""Running totals equal their ledger, whatever people and brokers do; a planted difference is found."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portfolios import services
from portfolios.models import BrokerAccount, Cell, LedgerEntry
from portfolios.selectors import Difference, present_moment, reconcile
from portfolios.services import Movement
from tests.portfolios.builders import AS_OF, BY_TEST, Firm, make_cell
from volbal.common.clock import now
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant

WHEN: dict[str, Any] = {"as_of": AS_OF, "origin": BY_TEST}

cents = st.integers(0, 10**12).map(lambda amount: Decimal(amount).scaleb(-2))
micros = st.integers(0, 10**12).map(lambda amount: Decimal(amount).scaleb(-6))
picks = st.integers(0, 10**6)
steps = st.one_of(
    st.tuples(st.sampled_from(["deposit", "withdraw", "adjust"]), picks, cents, micros),
    st.tuples(st.sampled_from(["account_deposit", "account_withdraw"]), picks, cents, micros),
    st.tuples(
        st.sampled_from(["to_cell", "from_cell", "between", "reverse", "buy", "sell", "twice"]), picks, cents, micros
    ),
)


def _do(firm: Firm, cells: list[Cell], verb: str, pick: int, cash: Decimal, shares: Decimal) -> None:
    cell = cells[pick % len(cells)]
    other = cells[(pick + 1) % len(cells)]
    if verb == "deposit":
        services.cell_deposit(cell=cell, cash=cash, shares=shares, price=Decimal(100), **WHEN)
    elif verb == "withdraw":
        services.cell_withdraw(cell=cell, cash=cash, shares=shares, **WHEN)
    elif verb == "adjust":
        services.cell_adjust(cell=cell, cash=-cash, shares=shares, receivable=cash, **WHEN)
    elif verb == "account_deposit":
        services.account_deposit(account=firm.account, amount=cash, **WHEN)
    elif verb == "account_withdraw":
        services.account_withdraw(account=firm.account, amount=cash, **WHEN)
    elif verb == "to_cell":
        services.cash_transfer(source=firm.account, destination=cell, amount=cash, **WHEN)
    elif verb == "from_cell":
        services.cash_transfer(source=cell, destination=firm.account, amount=cash, **WHEN)
    elif verb == "between":
        services.cash_transfer(source=cell, destination=other, amount=cash, **WHEN)
    elif verb == "reverse":
        entries = list(LedgerEntry.objects.order_by("id"))
        services.entry_reverse(entry=entries[pick % len(entries)], **WHEN)
    else:
        sign = -1 if verb == "sell" else 1
        number = pick if verb == "twice" else LedgerEntry.objects.count()
        kind = "sell" if verb == "sell" else "buy"
        movements = [Movement(kind, f"fill:{number}", cash=-sign * cash, shares=sign * shares)]
        for _ in range(2):
            services.ledger_post(account=firm.account, cell=cell, movements=movements, **WHEN)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(sequence=st.lists(steps, max_size=14))
def test_totals_equal_their_ledger_after_anything(
    firm: Firm, sequence: list[tuple[str, int, Decimal, Decimal]]
) -> None:
    number = Cell.objects.count()
    cells = [make_cell(firm, symbol, name=f"{number}") for symbol in ("IBM", "AAPL")]
    for verb, pick, cash, shares in sequence:
        firm.account.refresh_from_db()
        before = _all_cash(firm)
        try:
            _do(firm, cells, verb, pick, cash, shares)
        except Refused:
            assert _all_cash(firm) == before
        if verb in ("to_cell", "from_cell", "between"):
            assert _all_cash(firm) == before
        for cell in cells:
            cell.refresh_from_db()
    assert reconcile() == []
    outside = LedgerEntry.objects.exclude(kind="transfer")
    assert _all_cash(firm) == sum((entry.cash for entry in outside), Decimal(0))


def _all_cash(firm: Firm) -> Decimal:
    """Return what the broker should hold: the account's own cash and its cells'."""
    account = BrokerAccount.objects.get(pk=firm.account.pk)
    return sum((cell.cash for cell in Cell.objects.all()), account.unallocated_cash)


def test_equal_books_are_told_with_how_many_were_looked_at(firm: Firm) -> None:
    make_cell(firm)
    printed = StringIO()
    call_command("reconcile", stdout=printed)
    assert printed.getvalue() == "1 cells and 1 accounts equal their ledger and their brokers.\n"


@pytest.mark.parametrize(
    "model,field,off",
    [
        (Cell, "cash", "0.01"),
        (Cell, "shares", "-0.000001"),
        (Cell, "receivable", "5.00"),
        (BrokerAccount, "unallocated_cash", "-0.01"),
    ],
)
def test_a_planted_difference_is_named_and_ends_non_zero(firm: Firm, model: Any, field: str, off: str) -> None:
    make_cell(firm)
    row = model.objects.get()
    right = getattr(row, field)
    model.objects.filter(pk=row.pk).update(**{field: right + Decimal(off)})
    noun = "cell" if model is Cell else "account"
    assert reconcile() == [Difference(firm.tenant.pk, f"{noun}:{row.pk}", field, right, right + Decimal(off))]
    printed = StringIO()
    with pytest.raises(CommandError, match="1 differences in 1 cells and 1 accounts") as ending:
        call_command("reconcile", stdout=printed)
    assert ending.value.returncode == 1
    assert f"{noun}:{row.pk}: {field} is" in printed.getvalue()
    assert off.lstrip("-") in printed.getvalue()


def test_a_cell_without_entries_should_hold_nothing(firm: Firm) -> None:
    cell = Cell.objects.create(
        tenant=firm.tenant, portfolio=firm.portfolio, instrument=make_cell(firm).instrument, name="bare", cash=1
    )
    assert [difference.subject for difference in reconcile()] == [f"cell:{cell.pk}"]


def test_the_number_of_queries_does_not_grow(firm: Firm, django_assert_num_queries: Any) -> None:
    for symbol in ("IBM", "AAPL", "MSFT"):
        make_cell(firm, symbol)
    with django_assert_num_queries(2), every_tenant():
        assert reconcile() == []


def test_a_persons_entry_in_a_replay_is_dated_by_its_history(firm: Firm) -> None:
    replay = services.portfolio_create(account=firm.account, name="Replay", mode="replay", origin=BY_TEST)
    started = now()
    assert present_moment(replay) >= started
    assert present_moment(firm.portfolio) >= started
    make_cell(Firm(firm.tenant, firm.owner, firm.account, replay))
    assert present_moment(replay) == AS_OF
