"""What a cell did: its timeline, orders, ledger, dividends and parameter versions, a page at a time, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

from portfolios.models import Cell, LedgerEntry, ParameterVersion, Portfolio
from portfolios.services.parameters import PARAMETER_NAMES, ParameterDifference, parameters_difference
from trading.models import ActionApplication, CorporateAction, Evaluation, Order
from trading.selectors.history import history
from trading.selectors.orders import of_group
from volbal.common import clock
from volbal.strategy import PARAMETER_SPECIFICATIONS, ParameterSpecification

PAGE_SIZE = 25
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows, and the id before which the next page goes on; None at the end. `before` is where this one began."""

    rows: tuple[Row, ...]
    before: int | None
    older: int | None


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """One parameter of the version in force, and what it is."""

    specification: ParameterSpecification
    value: Any


@dataclass(frozen=True, slots=True)
class VersionView:
    """A parameter version and what it changed in the one before it."""

    version: ParameterVersion
    changes: tuple[ParameterDifference, ...]
    is_current: bool


def timeline_page(cell: Cell, actions: Iterable[str], before: int | None, size: int = PAGE_SIZE) -> Page[Evaluation]:
    """Return a page of a cell's evaluations, newest first; of some actions only where any are named.

    Old HOLD rows come from their files, of which a page opens no more than it needs.
    """
    return _page(history(cell, actions).evaluations(count=size + 1, before=before), before, size)


def orders(cell: Cell, group: str = "") -> QuerySet[Order]:
    """Return a cell's orders with their fills, newest first; of one group only where it is named."""
    rows = Order.objects.filter(cell=cell).filter(of_group(group, clock.now()))
    return rows.order_by("-id").select_related("actor").prefetch_related("fills")


def ledger(cell: Cell) -> QuerySet[LedgerEntry]:
    """Return a cell's ledger entries, newest first."""
    return LedgerEntry.objects.filter(cell=cell).order_by("-id").select_related("actor")


def dividends(cell: Cell) -> QuerySet[ActionApplication]:
    """Return the dividends and splits that a cell took, newest first."""
    return ActionApplication.objects.filter(cell=cell).order_by("-id").select_related("action")


def upcoming_actions(cell: Cell) -> QuerySet[CorporateAction]:
    """Return the dividends and splits that are announced and not yet taken; in a replay the future is not known."""
    if cell.portfolio.mode == Portfolio.Mode.REPLAY or cell.actions_through is None:
        return CorporateAction.objects.none()
    return CorporateAction.objects.filter(instrument=cell.instrument_id, ex_date__gt=cell.actions_through)[:5]


def page_of(rows: QuerySet[Row], before: int | None, size: int = PAGE_SIZE) -> Page[Row]:
    """Return a page of rows ordered by falling id, in one query; new rows never shift it."""
    return _page(list((rows if before is None else rows.filter(pk__lt=before))[: size + 1]), before, size)


def _page(held: list[Row], before: int | None, size: int) -> Page[Row]:
    older = held[size - 1].pk if len(held) > size else None
    return Page(tuple(held[:size]), before, older)


def parameter_values(cell: Cell) -> tuple[ParameterValue, ...]:
    """Return the parameters of a cell's version in force, in the rule's order; none before it was opened."""
    if cell.parameters is None:
        return ()
    return tuple(
        ParameterValue(specification, getattr(cell.parameters, specification.name))
        for specification in PARAMETER_SPECIFICATIONS
        if specification.name in PARAMETER_NAMES
    )


def versions(cell: Cell) -> tuple[VersionView, ...]:
    """Return a cell's parameter versions, newest first, each with what it changed."""
    rows = list(ParameterVersion.objects.filter(cell=cell).order_by("-number").select_related("created_by"))
    return tuple(
        VersionView(
            row,
            parameters_difference(rows[index + 1], row) if index + 1 < len(rows) else (),
            row.pk == cell.parameters_id,
        )
        for index, row in enumerate(rows)
    )
