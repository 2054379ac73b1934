"""What a backtest is asked to do, checked before it is kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from trading.marketdata.catalogue import load_bars
from trading.models import BarSeries
from volbal.common.errors import Refused
from volbal.strategy import RunOptions, StrategyError, StrategyParameters

# Dividends and splits are the catalogue's, not the asker's.
OPTION_NAMES = tuple(
    field.name for field in fields(RunOptions) if field.init and field.name not in ("dividends", "splits")
)


def checked_parameters(values: StrategyParameters | Mapping[str, Any]) -> StrategyParameters:
    """Return parameters within their bounds. Raises Refused naming parameter, value and bound."""
    if isinstance(values, StrategyParameters):
        return values
    try:
        return StrategyParameters.from_dict(values)
    except StrategyError as error:
        raise Refused(f"{error}.", code="parameters_refused") from None


def checked_options(series: BarSeries, parameters: StrategyParameters, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return every option of the run as JSON keeps it. Raises Refused for unknown ones, for values out of bounds, and
    where the series has no bar in the range that is asked for."""
    unknown = sorted(set(values) - set(OPTION_NAMES))
    if unknown:
        raise Refused(
            f"{', '.join(unknown)} is no option of a backtest; expected {', '.join(OPTION_NAMES)}.",
            code="options_refused",
        )
    try:
        options = RunOptions(**values)
        options.refuse_slices(parameters.slice_notional is not None)
        options.select(load_bars(series), after_hours=parameters.allow_after_hours)
    except StrategyError as error:
        raise Refused(f"{error}.", code="options_refused") from None
    return {name: _plain(getattr(options, name)) for name in OPTION_NAMES}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else value
