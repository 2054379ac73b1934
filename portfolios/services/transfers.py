"""Money moved inside an account: between its own cash and its cells."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from decimal import Decimal

from django.db import transaction

from portfolios.models import BrokerAccount, Cell, LedgerEntry
from portfolios.services.amounts import cash_amount, require_held, require_some
from portfolios.services.changes import Change, changing
from portfolios.services.checks import require_not_archived
from portfolios.services.ledger import Movement, book
from portfolios.services.money import new_key
from portfolios.services.origin import Origin
from volbal.common.errors import Refused

Holder = BrokerAccount | Cell


def cash_transfer(
    *,
    source: Holder,
    destination: Holder,
    amount: Decimal,
    as_of: dt.datetime,
    origin: Origin,
    key: str | None = None,
) -> None:
    """Move cash between an account and its cells, or between two cells of one account.

    Both legs are booked together; the same `key` given twice books once. Raises Refused when the source holds less,
    when the two are one, or belong to different accounts.
    """
    amount = cash_amount("amount", amount)
    require_some(amount)
    account = _shared_account(source, destination)
    cause = key or new_key("transfer")
    legs = {holder_key(source): (-amount, "from"), holder_key(destination): (amount, "to")}
    with transaction.atomic(), ExitStack() as stack:
        for holder in sorted((source, destination), key=holder_key):
            change = stack.enter_context(changing(holder, kind="cash.transferred", origin=origin, as_of=as_of))
            cash, end = legs[holder_key(holder)]
            movement = Movement(LedgerEntry.Kind.TRANSFER, f"{cause}:{end}", cash=cash)
            _book_leg(change, account, movement, as_of, origin)


def _book_leg(
    change: Change[Holder], account: BrokerAccount, movement: Movement, as_of: dt.datetime, origin: Origin
) -> None:
    row = change.row
    held = cash_of(row)
    entries = book(account=account, owner=row, movements=[movement], as_of=as_of, origin=origin)
    if not entries:
        return
    if movement.cash < 0:
        require_held(row, "cash", held=held, wanted=-movement.cash)
    elif isinstance(row, Cell):
        require_not_archived(row)
    change.details["entries"] = [entry.pk for entry in entries]


def cash_of(holder: Holder) -> Decimal:
    """Return the cash of a cell, or an account's own."""
    cash: Decimal = holder.cash if isinstance(holder, Cell) else holder.unallocated_cash
    return cash


def holder_key(holder: Holder) -> tuple[int, int]:
    """Return the order in which rows are locked, the same everywhere so that no two wait for each other."""
    return (1, holder.pk) if isinstance(holder, Cell) else (0, holder.pk)


def _shared_account(source: Holder, destination: Holder) -> BrokerAccount:
    accounts = [holder.portfolio.account if isinstance(holder, Cell) else holder for holder in (source, destination)]
    if holder_key(source) == holder_key(destination):
        raise Refused(f"{source} is both source and destination; expected two.", code="same_holder")
    if accounts[0] != accounts[1]:
        raise Refused(
            f"{source} is in account {accounts[0]} and {destination} in {accounts[1]}; expected one account.",
            code="different_accounts",
            hint="Withdraw from the one and deposit to the other.",
        )
    return accounts[0]
