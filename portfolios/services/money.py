"""What people do with a cell's money and shares: deposit, withdraw and adjust."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

from portfolios.models import Cell, LedgerEntry
from portfolios.services.amounts import cash_amount, price_amount, require_held, require_some, share_amount
from portfolios.services.changes import Change, changing
from portfolios.services.checks import require_not_archived, require_reason
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from volbal.common.errors import Refused
from volbal.common.numbers import ZERO

Kind = LedgerEntry.Kind
COST_STEP = Decimal("1e-10")


def cell_deposit(
    *,
    cell: Cell,
    as_of: dt.datetime,
    origin: Origin,
    cash: Decimal = ZERO,
    shares: Decimal = ZERO,
    price: Decimal | None = None,
    expected_version: int | None = None,
    key: str | None = None,
) -> Cell:
    """Add money or shares that reached the broker from outside; shares with their cost, `price` each.

    The same `key` given twice books once. Raises Refused for a negative or empty amount, or an archived cell.
    """
    cash, shares = cash_amount("cash", cash), share_amount("shares", shares)
    require_some(cash, shares)
    cost = None if price is None else price_amount("price", price)
    if shares > 0 and cost is None:
        raise Refused(f"{shares.normalize():f} shares come without a price; expected what each cost.", code="no_price")
    movement = Movement(Kind.DEPOSIT, key or new_key("deposit"), cash=cash, shares=shares, price=cost)
    with changing(cell, kind="cell.deposited", origin=origin, as_of=as_of, expected_version=expected_version) as change:
        require_not_archived(change.row)
        held = change.row.shares
        if post(change, cell, movement, as_of, origin) and cost is not None:
            change.row.average_cost = joined_cost(change.row.average_cost, held, cost, shares)
    return cell


def cell_withdraw(
    *,
    cell: Cell,
    as_of: dt.datetime,
    origin: Origin,
    cash: Decimal = ZERO,
    shares: Decimal = ZERO,
    expected_version: int | None = None,
    key: str | None = None,
) -> Cell:
    """Take money or shares out of the broker's hands. Raises Refused when the cell holds less, saying how much."""
    cash, shares = cash_amount("cash", cash), share_amount("shares", shares)
    require_some(cash, shares)
    movement = Movement(Kind.WITHDRAWAL, key or new_key("withdrawal"), cash=-cash, shares=-shares)
    with changing(cell, kind="cell.withdrawn", origin=origin, as_of=as_of, expected_version=expected_version) as change:
        post_held(change, cell, movement, as_of, origin)
    return cell


def cell_adjust(
    *,
    cell: Cell,
    as_of: dt.datetime,
    origin: Origin,
    cash: Decimal = ZERO,
    shares: Decimal = ZERO,
    receivable: Decimal = ZERO,
    expected_version: int | None = None,
    key: str | None = None,
) -> Cell:
    """Correct a cell by signed amounts, for the reason in `origin`. Raises Refused when it would hold less than 0."""
    require_reason(origin, "An adjustment")
    cash, receivable = (
        cash_amount("cash", cash, least=None),
        cash_amount("receivable", receivable, least=None),
    )
    shares = share_amount("shares", shares, least=None)
    require_some(cash, shares, receivable)
    movement = Movement(Kind.ADJUSTMENT, key or new_key("adjustment"), cash=cash, shares=shares, receivable=receivable)
    with changing(cell, kind="cell.adjusted", origin=origin, as_of=as_of, expected_version=expected_version) as change:
        post_held(change, cell, movement, as_of, origin)
    return cell


def post_held(change: Change[Cell], cell: Cell, movement: Movement, as_of: dt.datetime, origin: Origin) -> None:
    """Book a person's movement on a locked cell. Raises Refused when it takes more than the cell holds."""
    row = change.row
    held = {"cash": row.cash, "shares": row.shares, "receivable": row.receivable}
    if not post(change, cell, movement, as_of, origin):
        return
    for noun, before in held.items():
        wanted = -getattr(movement, noun)
        if wanted > 0:
            require_held(cell, noun, held=before, wanted=wanted)


def post(change: Change[Cell], cell: Cell, movement: Movement, as_of: dt.datetime, origin: Origin) -> bool:
    """Book one movement on a locked cell; False when its key is booked already."""
    entries = book(account=cell.portfolio.account, owner=change.row, movements=[movement], as_of=as_of, origin=origin)
    if entries:
        change.details["entries"] = [entry.pk for entry in entries]
    return bool(entries)


def joined_cost(average_cost: Decimal, held: Decimal, price: Decimal, quantity: Decimal) -> Decimal:
    """Return the average cost of a share after `quantity` more joined at `price` each (strategy 11)."""
    before = max(held, ZERO)
    return ((average_cost * before + price * quantity) / (before + quantity)).quantize(COST_STEP)


def new_key(verb: str) -> str:
    """Return a key for a cause that a person makes now."""
    return f"{verb}:{uuid.uuid4().hex}"
