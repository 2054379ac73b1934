"""A backtest day by day, beside the stock and the untouched mix (strategy 11)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from volbal.strategy import Bars, Result, StrategyParameters, simulate

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DailySeries:
    """The last mark of each day, one element a day. Money in currency; `drawdown` is at most 0, from the highest
    value of any bar so far; `anchor` is NaN while unset."""

    days: NDArray[np.int32]
    close: Floats
    value: Floats
    stock_value: Floats
    mix_value: Floats
    drawdown: Floats
    stock_share: Floats
    cash: Floats
    shares: Floats
    receivable: Floats
    anchor: Floats

    def frame(self) -> pd.DataFrame:
        """Return the series as a table with a `date` column of ISO texts first."""
        import pandas as pd

        frame = pd.DataFrame({"date": pd.to_datetime(self.days, unit="D").strftime("%Y-%m-%d")})
        for field in dataclasses.fields(self)[1:]:
            frame[field.name] = getattr(self, field.name)
        return frame


def daily_series(result: Result) -> DailySeries:
    """Return the last mark of each day of a result, with what the stock and the mix alone would have been worth."""
    bars, columns = result.bars, result.columns
    last = np.flatnonzero(np.append(np.diff(bars.days) != 0, True))
    stock, mix = _left_alone(result)
    highest = np.maximum.accumulate(columns.value)
    drawdown = np.divide(columns.value, highest, out=np.ones(len(bars)), where=highest > 0.0) - 1.0
    stock_value = columns.shares * bars.close
    share = np.divide(stock_value, columns.value, out=np.zeros(len(bars)), where=columns.value > 0.0)
    return DailySeries(
        bars.days[last], bars.close[last], columns.value[last], stock[last], mix[last], drawdown[last], share[last],
        columns.cash[last], columns.shares[last], columns.receivable[last], columns.anchor[last],
    )  # fmt: skip


def _left_alone(result: Result) -> tuple[Floats, Floats]:
    """Return the value at each bar of the starting value held in stock, and of the starting holding left alone.

    Both are the rule itself on a cell without anchor, which never trades; splits and dividends are the rule's too.
    """
    cash, shares = _opening(result)
    start_value = cash + shares * float(result.bars.close[0])
    return (
        _held(result, 0.0, start_value / float(result.bars.close[0])),
        _held(result, cash, shares),
    )


def _held(result: Result, cash: float, shares: float) -> Floats:
    parameters = StrategyParameters(
        withholding_rate=result.parameters.withholding_rate, allow_after_hours=result.parameters.allow_after_hours
    )
    options = result.options
    held = simulate(
        result.bars,
        parameters,
        dividends=options.dividends,
        splits=options.splits,
        cash=cash,
        shares=shares,
    )
    return held.columns.value


def _opening(result: Result) -> tuple[float, float]:
    """Return cash and shares that the run started with: on its first bar alone, without rebalancing, nothing trades."""
    bars, options = result.bars, result.options
    first = Bars(
        bars.stamps[:1],
        bars.open[:1],
        bars.high[:1],
        bars.low[:1],
        bars.close[:1],
        days=bars.days[:1],
        in_session=bars.in_session[:1],
        symbol=bars.symbol,
        resolution=bars.resolution,
    )
    parameters = StrategyParameters(
        quantity_step=result.parameters.quantity_step,
        allow_after_hours=result.parameters.allow_after_hours,
        auto_rebalance=False,
    )
    start = simulate(first, parameters, cash=options.cash, stock_fraction=options.stock_fraction, shares=options.shares)
    return start.final.cash, start.final.shares
