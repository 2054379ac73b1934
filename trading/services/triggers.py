"""Adaptive triggers for live cells, from their daily marks (strategy 13)."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from portfolios.models import Cell
from trading.models import CorporateAction, DailyMark
from volbal.strategy import Dividend, Split, StrategyParameters, adapt
from volbal.strategy.bars import day_number


def triggers_in_force(
    cells: list[Cell], days: dict[int, dt.date], parameters: list[StrategyParameters]
) -> list[StrategyParameters]:
    """Return the cells' parameters with the triggers of this day put in where they adapt.

    Only finished days of the cell count. Two queries for all cells that adapt, none where none does.
    """
    adapting = {cell.pk: cell for cell, one in zip(cells, parameters, strict=True) if one.adaptive_multiple > 0.0}
    if not adapting:
        return parameters
    marks: dict[int, list[DailyMark]] = defaultdict(list)
    for mark in DailyMark.objects.filter(cell_id__in=adapting).order_by("cell_id", "day"):
        if mark.day < days[mark.cell_id]:
            marks[mark.cell_id].append(mark)
    actions: dict[int, list[CorporateAction]] = defaultdict(list)
    for action in CorporateAction.objects.filter(instrument__in={cell.instrument_id for cell in adapting.values()}):
        actions[action.instrument_id].append(action)
    return [
        _adapted(one, marks[cell.pk], actions[cell.instrument_id]) if cell.pk in adapting else one
        for cell, one in zip(cells, parameters, strict=True)
    ]


def _adapted(
    parameters: StrategyParameters, marks: list[DailyMark], actions: list[CorporateAction]
) -> StrategyParameters:
    return adapt(
        parameters,
        days=[day_number(mark.day) for mark in marks],
        closes=[float(mark.close) for mark in marks],
        dividends=[Dividend(one.ex_date, float(one.amount)) for one in actions if one.amount is not None],
        splits=[Split(one.ex_date, float(one.ratio)) for one in actions if one.ratio is not None],
    )
