"""The one way to write a cell's or an account's money."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolios.models import BrokerAccount, Cell, LedgerEntry
from portfolios.services.changes import changing
from portfolios.services.origin import Origin
from volbal.common.clock import require_aware
from volbal.common.errors import VolbalError
from volbal.common.numbers import CENT, MICRO, ZERO


@dataclass(frozen=True, slots=True)
class Movement:
    """One signed entry to be booked; `key` names its cause, once in the tenant.

    Money is in whole cents and shares in steps of 1e-6: anything finer is a ValueError, for it would be lost.
    """

    kind: str
    key: str
    cash: Decimal = ZERO
    shares: Decimal = ZERO
    receivable: Decimal = ZERO
    price: Decimal | None = None
    note: str = ""
    reverses_id: int | None = None

    def __post_init__(self) -> None:
        """Check the kind and that each amount can be kept exactly."""
        LedgerEntry.Kind(self.kind)
        for name, step in (("cash", CENT), ("shares", MICRO), ("receivable", CENT)):
            value = getattr(self, name)
            if not value.is_finite() or value != value.quantize(step):
                raise ValueError(f"{name} of {self.key} is {value}; expected whole steps of {step}")


def ledger_post(
    *,
    account: BrokerAccount,
    movements: Sequence[Movement],
    as_of: dt.datetime,
    origin: Origin,
    cell: Cell | None = None,
    average_cost: Decimal | None = None,
    event: str = "ledger.posted",
) -> list[LedgerEntry]:
    """Book movements on a cell, or on the account's own cash, and move its running totals with them.

    Returns the entries, or none when every key is booked already: a cause told twice books once. `average_cost`, when
    given, becomes the cell's with them. Totals may become negative: a broker's report is a fact. The row passed in
    is up to date afterwards. Raises VolbalError when only some of the keys are booked.
    """
    owner: BrokerAccount | Cell = account if cell is None else cell
    with changing(owner, kind=event, origin=origin, as_of=as_of) as change:
        entries = book(account=account, owner=change.row, movements=movements, as_of=as_of, origin=origin)
        if not entries:
            return []
        if average_cost is not None and isinstance(change.row, Cell):
            change.row.average_cost = average_cost
        change.details["entries"] = [entry.pk for entry in entries]
        return entries


def book(
    *,
    account: BrokerAccount,
    owner: BrokerAccount | Cell,
    movements: Sequence[Movement],
    as_of: dt.datetime,
    origin: Origin,
) -> list[LedgerEntry]:
    """Insert the entries and move the totals of `owner`, which the caller holds locked and saves (see `changing`)."""
    if _already_booked(owner.tenant_id, movements):
        return []
    moment = require_aware(as_of, "as_of")
    entries = [
        entry_make(account=account, owner=owner, movement=movement, as_of=moment, origin=origin)
        for movement in movements
    ]
    return LedgerEntry.objects.bulk_create(entries)


def entry_make(
    *, account: BrokerAccount, owner: BrokerAccount | Cell, movement: Movement, as_of: dt.datetime, origin: Origin
) -> LedgerEntry:
    """Move the totals of `owner` by one movement and return its entry, for the caller to insert with others."""
    _move(owner, movement)
    if isinstance(owner, Cell) and movement.shares != 0 and movement.kind != LedgerEntry.Kind.SPLIT:
        _recheck_actions(owner, as_of)
    return _entry(account, owner, movement, as_of, origin)


def _recheck_actions(cell: Cell, as_of: dt.datetime) -> None:
    """Note that shares of a day whose dividends and splits were taken arrived only now.

    The exchange's day is never more than one before the day in UTC.
    """
    day = as_of.astimezone(dt.UTC).date() - dt.timedelta(days=1)
    if cell.actions_through is not None and day < cell.actions_through:
        cell.actions_recheck_from = min(day, cell.actions_recheck_from or day)


def _already_booked(tenant_id: int, movements: Sequence[Movement]) -> bool:
    keys = {movement.key for movement in movements}
    booked = set(LedgerEntry.objects.filter(tenant_id=tenant_id, key__in=keys).values_list("key", flat=True))
    if booked and booked != keys:
        raise VolbalError(
            f"{', '.join(sorted(booked))} booked already, {', '.join(sorted(keys - booked))} not; nothing was booked.",
            code="partly_booked",
            hint="Entries of one cause are booked together: look at that cause in the ledger.",
        )
    return bool(booked) or not keys


def _entry(
    account: BrokerAccount, owner: BrokerAccount | Cell, movement: Movement, as_of: dt.datetime, origin: Origin
) -> LedgerEntry:
    return LedgerEntry(
        tenant_id=owner.tenant_id,
        account=account,
        cell=owner if isinstance(owner, Cell) else None,
        kind=movement.kind,
        key=movement.key,
        cash=movement.cash,
        shares=movement.shares,
        receivable=movement.receivable,
        currency=account.currency,
        price=movement.price,
        as_of=as_of,
        actor_id=origin.actor_id,
        task=origin.task,
        reverses_id=movement.reverses_id,
        note=movement.note,
    )


def _move(owner: BrokerAccount | Cell, movement: Movement) -> None:
    if isinstance(owner, Cell):
        owner.cash += movement.cash
        owner.shares += movement.shares
        owner.receivable += movement.receivable
    elif movement.shares != 0 or movement.receivable != 0:
        raise ValueError(f"{movement.key} moves shares of an account; expected a cell for them")
    else:
        owner.unallocated_cash += movement.cash
