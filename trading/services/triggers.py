"""Adaptive triggers for live cells, from their daily marks (strategy 13)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
from django.db.models import prefetch_related_objects

from portfolios.commission import CommissionTerms
from portfolios.models import Cell
from portfolios.selectors import rules_of
from trading.models import CorporateAction, DailyMark
from volbal.strategy import (
    CellState,
    Dividend,
    NextTriggers,
    Split,
    StrategyParameters,
    adapt,
    next_triggers,
    resting_triggers,
)
from volbal.strategy import indices as at
from volbal.strategy.bars import day_number
from volbal.strategy.numeric import FloatArray

Mark = tuple[dt.date, Decimal]


def triggers_in_force(
    cells: Sequence[Cell], days: Mapping[int, dt.date], parameters: list[StrategyParameters]
) -> list[StrategyParameters]:
    """Return the cells' parameters with the triggers of this day put in where they adapt.

    Only finished days of the cell count. Two queries for all cells that adapt, none where none does.
    """
    adapting = {cell.pk: cell for cell, one in zip(cells, parameters, strict=True) if one.adaptive_multiple > 0.0}
    if not adapting:
        return parameters
    marks: dict[int, list[Mark]] = defaultdict(list)
    rows = DailyMark.objects.filter(cell_id__in=adapting).order_by("cell_id", "day")
    for cell_id, day, close in rows.values_list("cell_id", "day", "close"):
        if day < days[cell_id]:
            marks[cell_id].append((day, close))
    actions: dict[int, list[CorporateAction]] = defaultdict(list)
    for action in CorporateAction.objects.filter(instrument__in={cell.instrument_id for cell in adapting.values()}):
        actions[action.instrument_id].append(action)
    return [
        _adapted(one, marks[cell.pk], actions[cell.instrument_id]) if cell.pk in adapting else one
        for cell, one in zip(cells, parameters, strict=True)
    ]


def triggers_put_in_force(
    cells: Sequence[Cell],
    days: Mapping[int, dt.date],
    prices: Mapping[int, Decimal],
    terms: Mapping[int, CommissionTerms],
    rows: FloatArray,
) -> None:
    """Put the triggers of this day into the cells' rows of parameters, where they adapt (see `triggers_in_force`).

    One query more for the versions of those that do.
    """
    adapting = [int(index) for index in np.flatnonzero(rows[:, at.ADAPTIVE_MULTIPLE] > 0.0)]
    chosen = [cells[index] for index in adapting]
    prefetch_related_objects(chosen, "parameters")
    for index, one in zip(adapting, triggers_in_force(chosen, days, rules_of(chosen, prices, terms)), strict=True):
        rows[index, at.TRIGGER_UP], rows[index, at.TRIGGER_DOWN] = one.trigger_up, one.trigger_down


def cell_triggers(cell: Cell, state: CellState, parameters: StrategyParameters, price: float | None) -> NextTriggers:
    """Return where a cell acts next: at the levels its orders rest at, or where the rule says so from `price` on."""
    if cell.execution == Cell.Execution.RESTING:
        return resting_triggers(state, parameters)
    return next_triggers(state, parameters, price=price)


def _adapted(parameters: StrategyParameters, marks: list[Mark], actions: list[CorporateAction]) -> StrategyParameters:
    return adapt(
        parameters,
        days=[day_number(day) for day, _ in marks],
        closes=[float(close) for _, close in marks],
        dividends=[Dividend(one.ex_date, float(one.amount)) for one in actions if one.amount is not None],
        splits=[Split(one.ex_date, float(one.ratio)) for one in actions if one.ratio is not None],
    )
