"""Cash that a broker pays for the fraction of a share that a split leaves (strategy 8)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from portfolios.models import Cell, LedgerEntry
from portfolios.services.amounts import cash_amount, require_some
from portfolios.services.changes import changing
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from trading.models import ActionApplication, CorporateAction
from volbal.common.errors import Refused


def cash_in_lieu_book(*, application: ActionApplication, amount: Decimal, as_of: dt.datetime, origin: Origin) -> Cell:
    """Book the broker's payment for a split that a cell took, once. Raises Refused for a dividend and a bad amount."""
    amount = cash_amount("amount", amount)
    require_some(amount)
    cell, action = application.cell, application.action
    if action.kind != CorporateAction.Kind.SPLIT:
        raise Refused(f"{action} is no split; cash in lieu is paid for a split's fraction.", code="not_a_split")
    movement = Movement(
        kind=LedgerEntry.Kind.CASH_IN_LIEU, key=f"action:{action.pk}:cell:{cell.pk}:cash_in_lieu", cash=amount
    )
    with changing(cell, kind="cell.cash_in_lieu", origin=origin, as_of=as_of) as change:
        account = change.row.portfolio.account
        if not book(account=account, owner=change.row, movements=[movement], as_of=as_of, origin=origin):
            raise Refused(f"Cash in lieu of {action} is booked for {cell} already.", code="booked_already")
        change.details |= {"action": action.pk, "amount": amount}
    return cell
