"""A finished sweep as a table: one row a combination, its parameters, then every measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from optimization.figures import MEASURE_BY_NAME, measure_text
from volbal.strategy import MEASURES, SweepResult

# Measures of which less is better; of all others more is.
LESS_IS_BETTER = frozenset({"volatility", "turnover", "commission"})
SHOWN = ("final_value", "annual_return", "excess_over_mix", "sharpe", "max_drawdown", "trades")


def write_sweep(result: SweepResult, path: Path, band: SweepResult | None = None) -> None:
    """Write every combination in grid order as CSV or Parquet, by the extension; undefined measures are empty.

    `band` is the same sweep along the other path of each bar: its measures follow, named for that path, so that results
    of resting orders stand as a pair.
    """
    import pandas as pd

    frame = pd.DataFrame(result.columns())
    for measure in MEASURES:
        if band is not None:
            frame[f"{measure.name}_{band.options.path}"] = band.measure(measure.name)
        if measure.unit == "count":
            for name in (measure.name, f"{measure.name}_{band.options.path}" if band is not None else measure.name):
                frame[name] = frame[name].astype(np.int64)
    if path.suffix.lower() == ".parquet":
        frame.to_parquet(path, engine="pyarrow", index=False)
    else:
        frame.to_csv(path, index=False, lineterminator="\n")


def best(result: SweepResult, measure: str, count: int) -> list[int]:
    """Return the places of the best combinations by a measure, best first; equals in grid order, undefined left out."""
    values = result.measure(measure)
    ranked = np.argsort(values if measure in LESS_IS_BETTER else -values, kind="stable")
    return [int(place) for place in ranked if not np.isnan(values[place])][:count]


def rows_for_people(
    result: SweepResult, places: Sequence[int], measure: str, band: SweepResult | None = None
) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of some combinations: parameters, the measure asked for, the usual ones.

    With the `band`'s other path each measure is a pair, the path of `result` first.
    """
    shown = [measure, *(name for name in SHOWN if name != measure)]
    columns = {name: result.combinations.column(name) for name in result.parameter_names}
    rows = []
    for place in places:
        pair = [one.measures(place) for one in (result, band) if one is not None]
        rows.append(
            [
                *(_setting(column[place]) for column in columns.values()),
                *(" / ".join(measure_text(MEASURE_BY_NAME[name], one[name]) for one in pair) for name in shown),
            ]
        )
    return [*columns, *shown], rows


def _setting(value: object) -> str:
    return "off" if isinstance(value, float) and np.isnan(value) else str(value)
