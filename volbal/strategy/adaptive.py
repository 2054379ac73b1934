"""Triggers that follow daily volatility (strategy 13)."""

import itertools
from collections.abc import Sequence

import numpy as np

from volbal.strategy import indices as at
from volbal.strategy.bars import day_number
from volbal.strategy.cell import checked_number
from volbal.strategy.compile import compiled
from volbal.strategy.corporate_actions import Dividend, Split
from volbal.strategy.errors import CellError
from volbal.strategy.numeric import FloatArray, IntArray
from volbal.strategy.parameters import StrategyParameters, is_adaptive, parameter_row
from volbal.strategy.timeline import ordered_actions

WARM_UP_RETURNS = 20
UNKNOWN = -1.0  # a volatility before enough returns are known


def daily_volatility(returns: FloatArray, decay: float) -> FloatArray:
    """Return the volatility that each day starts with, `UNKNOWN` before 20 returns are finished.

    `returns[t]` is the log return of day t (`returns[0]` is not used: the first day has no close before it).
    The result has one element more: the last is what the day after starts with.
    """
    sigma = np.full(len(returns) + 1, UNKNOWN)
    _follow_variance(returns, decay, sigma)
    return sigma


@compiled
def _follow_variance(returns: FloatArray, decay: float, sigma: FloatArray) -> None:
    count = returns.shape[0]
    variance = 0.0
    for day in range(1, count):
        square = returns[day] * returns[day]
        if day <= WARM_UP_RETURNS:
            variance += square / WARM_UP_RETURNS
        else:
            variance = decay * variance + (1.0 - decay) * square
        if day >= WARM_UP_RETURNS:
            sigma[day + 1] = np.sqrt(variance)


@compiled
def set_triggers(parameters: FloatArray, sigma: float) -> None:
    """Set both triggers from a known volatility; an unknown one leaves the fixed triggers."""
    if sigma >= 0.0:
        trigger = parameters[at.ADAPTIVE_MULTIPLE] * sigma
        trigger = min(max(trigger, parameters[at.ADAPTIVE_FLOOR]), parameters[at.ADAPTIVE_CAP])
        parameters[at.TRIGGER_UP] = trigger
        parameters[at.TRIGGER_DOWN] = trigger


def log_returns(
    days: IntArray, closes: FloatArray, dividends: Sequence[Dividend], splits: Sequence[Split]
) -> FloatArray:
    """Return each day's log return `ln((close + d)·k / previous close)`, 0 for the first.

    `days` are days since 1970-01-01, one for each close. A dividend before a split between the same two
    closes counts in the new shares, as `d / k`.
    """
    paid = np.zeros(len(closes))
    ratio = np.ones(len(closes))
    for action in ordered_actions(dividends, splits):
        day = int(np.searchsorted(days, day_number(action.ex_date)))
        if 0 < day < len(closes):
            if isinstance(action, Split):
                paid[day] /= action.ratio
                ratio[day] *= action.ratio
            else:
                paid[day] += action.amount
    returns = np.zeros(len(closes))
    returns[1:] = np.log((closes[1:] + paid[1:]) * ratio[1:] / closes[:-1])
    return returns


def adapt(
    parameters: StrategyParameters,
    days: Sequence[int],
    closes: Sequence[float],
    dividends: Sequence[Dividend] = (),
    splits: Sequence[Split] = (),
) -> StrategyParameters:
    """Return the parameters with the triggers of the day after these finished days (strategy 13).

    `days` are the exchange's dates as days since 1970-01-01, rising, and `closes` the last price of each, as
    traded, since the cell first started. Without `adaptive_multiple`, and before 20 returns are
    known, the fixed triggers stand. Raises `CellError`.
    """
    row = parameter_row(parameters)
    if not is_adaptive(row):
        return parameters
    if len(days) != len(closes) or any(later <= day for day, later in itertools.pairwise(days)):
        raise CellError("days", list(days), "rising days, one for each close")
    for close in closes:
        checked_number("close", close, above=0.0)
    numbers, prices = np.asarray(days, dtype=np.int64), np.asarray(closes, dtype=np.float64)
    returns = log_returns(numbers, prices, dividends, splits)
    set_triggers(row, float(daily_volatility(returns, parameters.adaptive_decay)[-1]))
    return parameters.replace(trigger_up=float(row[at.TRIGGER_UP]), trigger_down=float(row[at.TRIGGER_DOWN]))
