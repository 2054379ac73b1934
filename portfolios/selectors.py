"""Reads: a cell as the rule sees it, and whether the ledger and the running totals agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any

import numpy as np
from django.db.models import DecimalField, Max, Model, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount, Cell, CommissionSchedule, LedgerEntry, ParameterVersion, Portfolio
from portfolios.services.events import subject_of
from portfolios.services.parameters import RESOLVED_ELSEWHERE, stored_rule
from volbal.common.clock import now
from volbal.common.errors import Refused
from volbal.common.numbers import CENT, MICRO, ZERO, float_rows, to_float
from volbal.strategy import CELL_COUNT, PARAMETER_COLUMNS, PARAMETER_COUNT, SIZINGS, CellState, StrategyParameters
from volbal.strategy import indices as at
from volbal.strategy.numeric import FloatArray

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
        orders_today=orders_on(cell, day),
        bought_since_anchor=to_float(cell.bought_since_anchor),
        sold_since_anchor=to_float(cell.sold_since_anchor),
        average_cost=to_float(cell.average_cost),
    )


def cell_rows(cells: Sequence[Cell], days: Mapping[int, dt.date]) -> FloatArray:
    """Return cells as the rule's rows of numbers, each on the exchange's day in `days` by cell id.

    Negative totals, booked from a broker's report, are kept: who asks the rule looks for them.
    """
    rows = np.zeros((len(cells), CELL_COUNT))
    if cells:
        rows[:, [at.CASH, at.SHARES, at.RECEIVABLE]] = float_rows(_TOTALS(cell) for cell in cells)
        rows[:, at.ANCHOR] = [0.0 if cell.anchor is None else to_float(cell.anchor) for cell in cells]
        rows[:, at.ORDERS] = [orders_on(cell, days[cell.id]) for cell in cells]
        rows[:, [at.BOUGHT, at.SOLD, at.COST]] = float_rows(_SINCE_ANCHOR(cell) for cell in cells)
    return rows


_TOTALS = attrgetter("cash", "shares", "receivable")
_SINCE_ANCHOR = attrgetter("bought_since_anchor", "sold_since_anchor", "average_cost")


def orders_on(cell: Cell, day: dt.date) -> int:
    """Return how many orders of a cell count on the exchange's `day`."""
    return cell.orders_today if cell.orders_day == day else 0


def commission_terms(cells: Collection[Cell]) -> dict[int, CommissionTerms]:
    """Return what an order of each cell costs, by cell id: the most specific schedule counts. One query.

    Load `portfolio` with the cells, else each costs a query.
    """
    wanted = {
        cell.id: {
            "tenant_id": cell.tenant_id,
            "account_id": cell.portfolio.account_id,
            "instrument_id": cell.instrument_id,
        }
        for cell in cells
    }
    schedules = CommissionSchedule.objects.all()
    for name in ("tenant_id", "account_id", "instrument_id"):
        ids = {one[name] for one in wanted.values()}
        schedules = schedules.filter(Q(**{f"{name}__among": ids}) | Q(**{name: None}))
    ranked = sorted(schedules, key=lambda one: -one.precedence)
    if not ranked:
        return dict.fromkeys(wanted, CommissionTerms())
    return {
        cell_id: next((one.terms for one in ranked if _fits(one, ids)), CommissionTerms())
        for cell_id, ids in wanted.items()
    }


def account_commission(account: BrokerAccount) -> CommissionTerms:
    """Return what an order costs in an account where its instrument has no schedule of its own."""
    schedules = CommissionSchedule.objects.filter(Q(account=account) | Q(account=None), instrument=None)
    ranked = sorted(schedules.filter(Q(tenant_id=account.tenant_id) | Q(tenant=None)), key=lambda one: -one.precedence)
    return ranked[0].terms if ranked else CommissionTerms()


def _fits(schedule: CommissionSchedule, ids: Mapping[str, int]) -> bool:
    return all(getattr(schedule, name) in (None, value) for name, value in ids.items())


def rules_of(
    cells: Sequence[Cell], prices: Mapping[int, Decimal], terms: Mapping[int, CommissionTerms] | None = None
) -> list[StrategyParameters]:
    """Return the parameters in force of each cell: its version, its commission and its portfolio's trading hours.

    `prices` by cell id turn an amount a share into a rate; `terms` by cell id, where they are known, save the one
    query. Load `parameters` and `portfolio` with the cells, else each costs a query. Raises Refused for a cell
    without parameters.
    """
    if not cells:
        return []
    known = commission_terms(cells) if terms is None else terms
    return [_rule(cell, known[cell.id], prices.get(cell.id)) for cell in cells]


def parameter_rows(
    cells: Sequence[Cell], prices: Mapping[int, Decimal], terms: Mapping[int, CommissionTerms]
) -> FloatArray:
    """Return what `rules_of` does as the rule's rows of numbers, for many cells at once, in one query.

    The database's own constraints keep every stored parameter within its bounds. Raises Refused for a cell without
    parameters.
    """
    rows = np.zeros((len(cells), PARAMETER_COUNT))
    if not cells:
        return rows
    stored = {
        pk: (sizing, values)
        for pk, sizing, *values in ParameterVersion.objects.filter(
            pk__among=[_version_id(cell) for cell in cells]
        ).values_list("pk", "sizing", *_STORED_NAMES)
    }
    versions = [stored[_version_id(cell)] for cell in cells]
    # What is switched off is stored as nothing, which reads as NaN, and stands as 0 in a row.
    rows[:, _STORED_COLUMNS] = np.nan_to_num(float_rows(values for _, values in versions))
    rows[:, at.SIZING] = [SIZINGS.index(sizing) for sizing, _ in versions]
    rows[:, at.COMMISSION_RATE] = [to_float(terms[cell.id].rule_rate(prices[cell.id])) for cell in cells]
    rows[:, at.COMMISSION_MIN] = [to_float(terms[cell.id].minimum) for cell in cells]
    rows[:, at.ALLOW_AFTER_HOURS] = [cell.portfolio.trading_hours == Portfolio.TradingHours.EXTENDED for cell in cells]
    return rows


# The rule's numbers that a parameter version stores as they are; sizing is a word there.
_STORED_NAMES = [name for name in PARAMETER_COLUMNS if name not in RESOLVED_ELSEWHERE | {"sizing"}]
_STORED_COLUMNS = [at.COLUMN_BY_NAME[name] for name in _STORED_NAMES]


def _version_id(cell: Cell) -> int:
    if cell.parameters_id is None:
        raise Refused(f"{cell} has no parameters.", code="no_parameters")
    return cell.parameters_id


def _version_of(cell: Cell) -> ParameterVersion:
    if cell.parameters is None:
        raise Refused(f"{cell} has no parameters.", code="no_parameters")
    return cell.parameters


def rule_parameters(cell: Cell, price: Decimal | None = None) -> StrategyParameters:
    """Return the parameters in force of one cell (see `rules_of`)."""
    return rules_of([cell], {} if price is None else {cell.pk: price})[0]


def _rule(cell: Cell, terms: CommissionTerms, price: Decimal | None) -> StrategyParameters:
    return stored_rule(
        _version_of(cell),
        commission_rate=to_float(terms.rate if price is None else terms.rule_rate(price)),
        commission_min=to_float(terms.minimum),
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
