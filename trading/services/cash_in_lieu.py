"""Cash that a broker pays for the fraction of a share that a split leaves (strategy 8), and what it corrects."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db.models import QuerySet

from portfolios.models import Cell, LedgerEntry
from portfolios.services.amounts import cash_amount, require_some
from portfolios.services.changes import changing
from portfolios.services.checks import require_reason
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from trading.models import ActionApplication, CorporateAction
from trading.services.fills import halt_if_negative
from trading.services.marks import mark_refresh
from trading.services.positions import position_of
from volbal.common.errors import Refused

KIND = LedgerEntry.Kind.CASH_IN_LIEU


def cash_in_lieu_book(*, application: ActionApplication, amount: Decimal, as_of: dt.datetime, origin: Origin) -> Cell:
    """Book the broker's payment for a split that a cell took, once. Raises Refused for a dividend and a bad amount."""
    amount = cash_amount("amount", amount)
    require_some(amount)
    cell, action = application.cell, application.action
    if action.kind != CorporateAction.Kind.SPLIT:
        raise Refused(f"{action} is no split; cash in lieu is paid for a split's fraction.", code="not_a_split")
    with changing(cell, kind="cell.cash_in_lieu", origin=origin, as_of=as_of) as change:
        if cash_in_lieu_of(application) is not None:
            raise Refused(
                f"Cash in lieu of {action} is booked for {cell} already.",
                code="booked_already",
                hint="Correct its amount where the broker did.",
            )
        _post(change.row, [_payment(application, amount)], as_of, origin)
        change.details |= {"action": action.pk, "amount": amount}
    return cell


def cash_in_lieu_correct(
    *, application: ActionApplication, amount: Decimal, as_of: dt.datetime, origin: Origin
) -> Cell:
    """Book the opposite of what was booked as cash in lieu, then what is right; 0 only takes it back.

    A broker's correction is a fact: where it leaves the cell without cash it is booked all the same and the cell
    halts. Raises Refused without a reason, where nothing is booked, and where the amount is what is booked.
    """
    require_reason(origin, "Correcting cash in lieu")
    amount = cash_amount("amount", amount)
    cell, action = application.cell, application.action
    with changing(cell, kind="cell.cash_in_lieu_corrected", origin=origin, as_of=as_of) as change:
        before = cash_in_lieu_of(application)
        if before is None:
            raise Refused(f"No cash in lieu of {action} is booked for {cell}.", code="not_booked", hint="Book it.")
        if before.cash == amount:
            raise Refused(f"{amount} is what is booked; nothing was changed.", code="nothing_changed")
        opposite = Movement(
            kind=KIND, key=f"reverse:{before.pk}", cash=-before.cash, note=origin.reason, reverses_id=before.pk
        )
        payment = [_payment(application, amount)] if amount else []
        _post(change.row, [opposite, *payment], as_of, origin)
        change.details |= {"action": action.pk, "was": before.cash, "amount": amount}
    return cell


def cash_in_lieu_of(application: ActionApplication) -> LedgerEntry | None:
    """Return the entry that stands for what was paid, None where none was booked or it was taken back."""
    return _entries(application).filter(reversed_by=None).first()


def _entries(application: ActionApplication) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(cell=application.cell_id, kind=KIND, key__startswith=_key(application))


def _key(application: ActionApplication) -> str:
    return f"action:{application.action_id}:cell:{application.cell_id}:cash_in_lieu"


def _payment(application: ActionApplication, amount: Decimal) -> Movement:
    booked = _entries(application).count()
    return Movement(kind=KIND, key=_key(application) + (f":{booked + 1}" if booked else ""), cash=amount)


def _post(cell: Cell, movements: list[Movement], as_of: dt.datetime, origin: Origin) -> None:
    book(account=cell.portfolio.account, owner=cell, movements=movements, as_of=as_of, origin=origin)
    halt_if_negative(cell, position_of(cell))
    mark_refresh(cell=cell)
