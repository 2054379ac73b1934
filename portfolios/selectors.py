"""Reads: a cell as the rule sees it, and whether the ledger and the running totals agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, Max, Model, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from portfolios.models import BrokerAccount, Cell, LedgerEntry, Portfolio
from portfolios.services.events import subject_of
from portfolios.services.parameters import stored_rule
from volbal.common.clock import now
from volbal.common.errors import Refused
from volbal.common.numbers import CENT, MICRO, ZERO, to_float
from volbal.strategy import CellState, StrategyParameters

CELL_TOTALS = {"cash": CENT, "shares": MICRO, "receivable": CENT}


@dataclass(frozen=True, slots=True)
class Totals:
    """What ledger entries add up to."""

    cash: Decimal
    shares: Decimal
    receivable: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """A running total that is not what its ledger adds up to."""

    tenant_id: int
    subject: str
    field: str
    ledger: Decimal
    stored: Decimal

    def __str__(self) -> str:
        """Say it in a line."""
        off = self.stored - self.ledger
        return (
            f"tenant {self.tenant_id} {self.subject}: {self.field} is {self.stored:,f}, "
            f"its ledger adds up to {self.ledger:,f}: {off:+,f}"
        )


def cell_state(cell: Cell, day: dt.date) -> CellState:
    """Return a cell as the rule sees it on the exchange's `day`. Raises CellError for negative totals."""
    return CellState(
        cash=to_float(cell.cash),
        shares=to_float(cell.shares),
        anchor=to_float(cell.anchor),
        receivable=to_float(cell.receivable),
        orders_today=cell.orders_today if cell.orders_day == day else 0,
        bought_since_anchor=to_float(cell.bought_since_anchor),
        sold_since_anchor=to_float(cell.sold_since_anchor),
    )


def rule_parameters(cell: Cell) -> StrategyParameters:
    """Return the parameters in force: the version, the account's commission and the portfolio's trading hours.

    Load `parameters` and `portfolio__account` with the cell, else each costs a query.
    """
    if cell.parameters is None:
        raise Refused(f"{cell} has no parameters.", code="no_parameters")
    account = cell.portfolio.account
    return stored_rule(
        cell.parameters,
        commission_rate=to_float(account.commission_rate),
        commission_min=to_float(account.commission_min),
        allow_after_hours=cell.portfolio.trading_hours == Portfolio.TradingHours.EXTENDED,
    )


def present_moment(portfolio: Portfolio) -> dt.datetime:
    """Return the time that a person's entry is dated: now, or in a replay the time its history has reached."""
    if portfolio.mode != Portfolio.Mode.REPLAY:
        return now()
    reached = LedgerEntry.objects.filter(cell__portfolio=portfolio).aggregate(last=Max("as_of"))["last"]
    return now() if reached is None else reached


def ledger_totals(*, cell: Cell) -> Totals:
    """Return what a cell's ledger adds up to, in one query."""
    found = _with_sums(Cell.objects.filter(pk=cell.pk), CELL_TOTALS, Q()).get()
    return Totals(**{name: _sum(found, name, step) for name, step in CELL_TOTALS.items()})


def reconcile() -> list[Difference]:
    """Recompute every cell and account in scope from the ledger: one query for each kind, whatever their number.

    Each query reads totals and entries at one moment, so that a booking meanwhile is no difference.
    """
    cells = _with_sums(Cell.objects.all(), CELL_TOTALS, Q())
    accounts = _with_sums(BrokerAccount.objects.all(), {"cash": CENT}, Q(entries__cell__isnull=True))
    found = [difference for cell in cells.iterator() for difference in _cell_differences(cell)]
    found.extend(difference for account in accounts.iterator() for difference in _account_differences(account))
    return found


def _with_sums(rows: QuerySet[Any], totals: dict[str, Decimal], condition: Q) -> QuerySet[Any]:
    sums = {
        f"ledger_{name}": Coalesce(
            Sum(f"entries__{name}", filter=condition),
            ZERO,
            output_field=DecimalField(max_digits=30, decimal_places=-int(step.as_tuple().exponent)),
        )
        for name, step in totals.items()
    }
    annotated: QuerySet[Any] = rows.annotate(**sums).order_by("pk")
    return annotated


def _sum(row: Model, name: str, step: Decimal) -> Decimal:
    return Decimal(getattr(row, f"ledger_{name}")).quantize(step)


def _cell_differences(cell: Cell) -> Iterator[Difference]:
    for name, step in CELL_TOTALS.items():
        ledger, stored = _sum(cell, name, step), getattr(cell, name)
        if ledger != stored:
            yield Difference(cell.tenant_id, subject_of(cell), name, ledger, stored)


def _account_differences(account: BrokerAccount) -> Iterator[Difference]:
    ledger = _sum(account, "cash", CENT)
    if ledger != account.unallocated_cash:
        yield Difference(account.tenant_id, subject_of(account), "unallocated_cash", ledger, account.unallocated_cash)
