"""Backtests beside each other: measures, what was asked differently, and growth on one chart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optimization.models import Backtest
from optimization.selectors.backtests import Figure, Setting, backtest_rows, backtest_view
from optimization.selectors.charts import DAY_ZONE, day_second
from optimization.services.results import read_frame
from trading.selectors.charts import ChartSpecification, Line

MOST = 5
COLOURS = ("accent", "sell", "up", "replay", "warn")


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure of every run, in the runs' order."""

    label: str
    definition: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One parameter or option that is not the same in all runs, in the runs' order; None where a run has none."""

    name: str
    description: str
    settings: tuple[Setting | None, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Completed backtests, their measures row by row, and what distinguishes them."""

    runs: tuple[tuple[str, str, Backtest], ...]
    measures: tuple[MeasureRow, ...]
    settings: tuple[SettingRow, ...]
    has_band: bool


def runs_of(ids: Sequence[int]) -> list[Backtest]:
    """Return the tenant's completed backtests among `ids`, oldest first, at most `MOST`, in one query."""
    rows = backtest_rows().filter(pk__in=ids, state=Backtest.State.COMPLETED).order_by("id")
    return list(rows[:MOST])


def comparison(rows: Sequence[Backtest]) -> Comparison:
    """Return backtests beside each other; no further query."""
    views = [backtest_view(row) for row in rows]
    measures = zip(*(view.figures for view in views), strict=True)
    return Comparison(
        runs=tuple(zip("ABCDE", COLOURS, rows, strict=False)),
        measures=tuple(MeasureRow(one[0].label, one[0].definition, tuple(one)) for one in measures),
        settings=_differing([{one.name: one for one in (*view.parameters, *view.options)} for view in views]),
        has_band=any(row.band for row in rows),
    )


def growth_chart(rows: Sequence[Backtest]) -> ChartSpecification:
    """Return each run's growth since its start by day, a fraction; a day that a run does not have is left out."""
    grown = [_growth(row) for row in rows]
    days = sorted({day for one in grown for day in one})
    lines = tuple(
        Line(name, name, colour, [one.get(day) for day in days], 2, labelled=True)
        for name, colour, one in zip("ABCDE", COLOURS, grown, strict=False)
    )
    times = [day_second(dt.date.fromisoformat(day)) for day in days]
    return ChartSpecification(
        zone=DAY_ZONE, daily=True, format="signed-percent", time=times, lines=lines, marked="A" if lines else ""
    )


def _growth(row: Backtest) -> dict[str, float]:
    days = read_frame(row, "days_file")
    start = float(row.options["cash"])
    return {str(day): value / start - 1 for day, value in zip(days["date"], days["value"].tolist(), strict=True)}


def _differing(asked: Sequence[dict[str, Setting]]) -> tuple[SettingRow, ...]:
    found = []
    for name in dict.fromkeys(name for one in asked for name in one):
        settings = tuple(one.get(name) for one in asked)
        if len({_value(one) for one in settings}) > 1:
            description = next(one.description for one in settings if one is not None)
            found.append(SettingRow(name, description, settings))
    return tuple(found)


def _value(setting: Setting | None) -> Any:
    return None if setting is None else repr(setting.value)
