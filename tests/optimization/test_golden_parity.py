"""Live equals backtest on a busy stretch of every golden case that live can follow, each order filled in parts."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optimization.services.parity import ParityCase, parity_run
from tests.strategy.reading import GOLDEN, SHARED, read_case
from volbal.strategy import Bars, StrategyParameters, simulate

pytestmark = [pytest.mark.django_db, pytest.mark.histories]

NOT_BACKTESTS = {"decisions", "sweep"}
STRETCH_BARS = 30


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def followed(folder: Path) -> list[Path]:
    """Return the golden cases that watch and fill at the close; where there is slippage, live leaves it out."""
    cases = [path for path in sorted(folder.glob("*.json")) if path.stem not in NOT_BACKTESTS]
    given = {path: json.loads(path.read_text())["input"] for path in cases}
    return [path for path in cases if not {"execution", "fill"} & given[path].keys()]


def busiest(bars: Bars, parameters: StrategyParameters, options: dict[str, Any]) -> Bars:
    """Return the bars, of all stretches of that length tried, on which a run of their own has most trades."""
    ran = bars.select(options.get("start"), options.get("end"), after_hours=parameters.allow_after_hours)
    last = len(ran) - STRETCH_BARS
    stretches = [part_of(ran, int(first)) for first in np.linspace(0, last, min(last, 300) + 1)]
    fraction = options.get("stock_fraction", 0.5)
    return max(stretches, key=lambda one: len(simulate(one, parameters, stock_fraction=fraction).trades))


def part_of(bars: Bars, first: int) -> Bars:
    rows = slice(first, first + STRETCH_BARS)
    columns = (getattr(bars, name)[rows] for name in ("open", "high", "low", "close", "volume", "days", "in_session"))
    return Bars(bars.stamps[rows], *columns, symbol=bars.symbol, resolution=bars.resolution)


CASES = [
    *(pytest.param(path, id=path.stem) for path in followed(GOLDEN)),
    *(
        pytest.param(path, id=f"shared-{path.stem}", marks=pytest.mark.shared)
        for path in followed(SHARED / "golden")
        if not (GOLDEN / path.name).exists()
    ),
]


@pytest.mark.parametrize("path", CASES)
def test_golden_cases_in_parts(path: Path) -> None:
    bars, given, options, _ = read_case(path)
    parameters = StrategyParameters.from_dict(given)
    actions = {name: tuple(options.get(name, ())) for name in ("dividends", "splits")}
    case = ParityCase(
        bars=busiest(bars, parameters, options),
        parameters=parameters,
        cash=Decimal(repr(options.get("cash", 100_000.0))),
        stock_fraction=options.get("stock_fraction", 0.5),
        partial_fills=True,
        seed=11,
        **actions,
    )
    report = parity_run(case)
    assert [str(difference) for difference in report.differences] == []
    assert (report.bars, report.fills > report.trades > 0) == (STRETCH_BARS, True)
