"""Opening cells, and what they go through: started, paused, halted, resumed, archived."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from portfolios.models import Cell, Instrument, LedgerEntry, Portfolio, TradingRestriction
from portfolios.models.restriction import PERSON
from portfolios.services.amounts import cash_amount, price_amount, share_amount
from portfolios.services.changes import changing, lock
from portfolios.services.checks import insert, require_reason
from portfolios.services.executions import require_known_execution
from portfolios.services.ledger import Movement, book
from portfolios.services.opening import stock_value
from portfolios.services.origin import Origin
from portfolios.services.parameters import first_version, require_live_floor
from portfolios.services.restrictions import place_resume, restriction_place, restrictions_close
from portfolios.standings import place_of
from volbal.common.clock import require_aware
from volbal.common.errors import Refused
from volbal.strategy import StrategyParameters

Status = Cell.Status


@dataclass(frozen=True, slots=True)
class Step:
    """A change of status: from where it is allowed, and where it leads."""

    origins: frozenset[str]
    target: Status


STEPS: Mapping[str, Step] = {
    "started": Step(frozenset({Status.STOPPED, Status.PAUSED}), Status.ACTIVE),
    "paused": Step(frozenset({Status.ACTIVE}), Status.PAUSED),
    "resumed": Step(frozenset({Status.PAUSED}), Status.ACTIVE),
    "archived": Step(frozenset({Status.STOPPED, Status.PAUSED}), Status.ARCHIVED),
}


def cell_open(
    *,
    portfolio: Portfolio,
    instrument: Instrument,
    price: Decimal,
    as_of: dt.datetime,
    origin: Origin,
    cash: Decimal,
    shares: Decimal,
    anchor: Decimal | None,
    parameters: StrategyParameters | Mapping[str, Any] | None = None,
    name: str = "",
    reinvest_dividends: bool = False,
    execution: str = Cell.Execution.WATCH,
) -> Cell:
    """Open a stopped cell with what it holds at `price`, its anchor (or none) and parameter version 1.

    Raises Refused naming the number, name, execution or parameter that cannot be.
    """
    require_known_execution(execution)
    price = price_amount("price", price)
    cash, shares = cash_amount("cash", cash), share_amount("shares", shares)
    moment = require_aware(as_of, "as_of")
    with transaction.atomic():
        portfolio_held = lock(portfolio)
        _require_open(portfolio_held)
        cell = Cell(
            tenant_id=portfolio.tenant_id,
            portfolio=portfolio,
            instrument=instrument,
            name=name,
            average_cost=price,
            anchor=None if anchor is None else price_amount("anchor", anchor),
            anchor_set_at=None if anchor is None else moment,
            opened_at=moment,
            opening_value=cash + stock_value(shares, price),
            opening_price=price,
            reinvest_dividends=reinvest_dividends,
            execution=execution,
        )
        insert(cell)
        opening = Movement(
            kind=LedgerEntry.Kind.OPENING, key=f"cell:{cell.pk}:opening", cash=cash, shares=shares, price=price
        )
        with changing(cell, kind="cell.opened", origin=origin, as_of=moment) as change:
            book(account=portfolio.account, owner=change.row, movements=[opening], as_of=moment, origin=origin)
            change.row.parameters = first_version(cell=cell, values=parameters, origin=origin)
            change.details |= {"portfolio_id": portfolio.pk, "instrument_id": instrument.pk, "price": price}
            change.details |= {"anchor": cell.anchor, "name": name, "execution": execution}
    return cell


def cell_start(*, cell: Cell, origin: Origin, expected_version: int | None = None) -> Cell:
    """Let a stopped or paused cell trade.

    Raises Refused without an anchor, with negative totals, in an archived portfolio, or for a live cell whose floor
    cannot be restored (strategy 2).
    """
    return _step("started", cell, origin=origin, expected_version=expected_version)


def cell_resume(
    *,
    cell: Cell,
    origin: Origin,
    expected_version: int | None = None,
    seen: Collection[int] | None = None,
) -> Cell:
    """Lift what halts a cell, or lets it only sell, or else start it where it is paused; a person says why.

    A halted cell is afterwards what it was before: one that was paused stays paused, and what holds its portfolio,
    account, tenant, broker or everything goes on holding it. `seen` as in `place_resume`. Raises Refused as
    `cell_start` does where it would trade.
    """
    require_reason(origin, "Resuming a cell")
    if not _held(cell):
        return _step("resumed", cell, origin=origin, expected_version=expected_version)
    with transaction.atomic():
        if lock(cell).status == Status.ACTIVE:
            _require_tradable(cell)
        place_resume(on=place_of(cell), origin=origin, seen=seen)
    return cell


def cell_pause(*, cell: Cell, origin: Origin, expected_version: int | None = None) -> Cell:
    """Keep an active cell from trading until it is started again."""
    return _step("paused", cell, origin=origin, expected_version=expected_version)


def cell_halt(*, cell: Cell, origin: Origin, cause: str = PERSON, cancels_orders: bool = True) -> Cell:
    """Stop a cell at once, for the reason in `origin`; one that is halted for this cause or archived stays as it is.

    Whatever finds a fault names itself in `cause`. May be called while the cell is being changed.
    """
    require_reason(origin, "Halting a cell")
    if cell.status != Status.ARCHIVED:
        place, state = place_of(cell), TradingRestriction.State.HALTED
        restriction_place(on=place, state=state, origin=origin, cause=cause, cancels_orders=cancels_orders)
    return cell


def cell_archive(*, cell: Cell, origin: Origin, expected_version: int | None = None) -> Cell:
    """Put a cell that does not trade away for good; its books stay."""
    with transaction.atomic():
        _step("archived", cell, origin=origin, expected_version=expected_version)
        restrictions_close(on=place_of(cell), origin=origin)
    return cell


def _held(cell: Cell) -> bool:
    return TradingRestriction.objects.filter(cell=cell, lifted_at__isnull=True).exists()


def _step(verb: str, cell: Cell, *, origin: Origin, expected_version: int | None = None) -> Cell:
    step = STEPS[verb]
    with changing(cell, kind=f"cell.{verb}", origin=origin, expected_version=expected_version) as change:
        row = change.row
        if row.status not in step.origins:
            allowed = " or ".join(sorted(step.origins))
            raise Refused(f"{row} is {row.status}; it can be {verb} only when {allowed}.", code="wrong_status")
        if step.target == Status.ACTIVE:
            _require_tradable(row)
            _require_not_halted(row)
        row.status, row.status_reason = step.target, origin.reason
    return cell


def _require_tradable(cell: Cell) -> None:
    if cell.anchor is None:
        raise Refused(
            f"{cell} has no anchor: without one the rule never gives a signal.",
            code="no_anchor",
            hint="Set the anchor first.",
        )
    for noun in ("cash", "shares", "receivable"):
        held = getattr(cell, noun)
        if held < 0:
            raise Refused(
                f"{cell} holds {held:,f} {noun}; expected at least 0.",
                code="negative_holding",
                hint="Deposit what is missing, or adjust the cell to what the broker holds.",
            )
    _require_open(cell.portfolio)
    require_live_floor(cell)


def _require_not_halted(cell: Cell) -> None:
    halts = TradingRestriction.objects.filter(cell=cell, state=TradingRestriction.State.HALTED, lifted_at__isnull=True)
    halt = halts.order_by("id").first()
    if halt is not None:
        raise Refused(f"{cell} is halted: {halt.reason}", code="wrong_status", hint="Resume it first, with a reason.")


def _require_open(portfolio: Portfolio) -> None:
    if portfolio.is_archived:
        raise Refused(f"Portfolio {portfolio} is archived; nothing in it trades again.", code="archived")
