"""Rehearsing a limit over a finished backtest: the same arithmetic as over books, on its days and trades."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from optimization.models import Backtest
from optimization.services.results import read_frame
from trading.models import TradingLimit
from trading.services.rehearsals import DayValues, Episode, Rehearsal, by_day, by_drawdown

if TYPE_CHECKING:
    import pandas as pd

Kind = TradingLimit.Kind
# What a backtest has: it knows no refusals, no old prices and no broker.
KINDS = (
    Kind.DRAWDOWN,
    Kind.DAILY_LOSS,
    Kind.DAILY_NOTIONAL,
    Kind.ORDERS_IN_WINDOW,
    Kind.EXPOSURE,
    Kind.CONCENTRATION,
)


def backtest_rehearsal(row: Backtest, limit: TradingLimit, resume_after_days: int) -> Rehearsal:
    """Return what a limit of one of `KINDS` would have done in a completed backtest.

    Shares held still grow as the stock does, with its dividends kept: savings are close, not exact. Orders are counted
    by whole days.
    """
    days = read_frame(row, "days_file")
    series = _series(days)
    found = _episodes(row, limit, days, series, resume_after_days)
    return Rehearsal(series.days[0], series.days[-1], tuple(found))


def _series(days: pd.DataFrame) -> DayValues:
    value, stock = days["value"].to_numpy(dtype=np.float64), days["stock_value"].to_numpy(dtype=np.float64)
    held = (days["shares"] * days["close"]).to_numpy(dtype=np.float64)
    flow = np.zeros(len(value))
    flow[0] = value[0]
    dates = [dt.date.fromisoformat(text) for text in days["date"]]

    def still(start: int, end: int) -> float:
        return float(value[start] - held[start] + held[start] * stock[end] / stock[start])

    return DayValues(dates, value, flow, still)


def _episodes(
    row: Backtest, limit: TradingLimit, days: pd.DataFrame, series: DayValues, resume_after_days: int
) -> list[Episode]:
    threshold, acts = float(limit.threshold), limit.action != TradingLimit.Action.ALERT
    if limit.kind == Kind.DRAWDOWN:
        return by_drawdown(series, threshold, resume_after_days, acts)
    return by_day(series, _figures(row, limit, days, series), threshold, resume_after_days, acts)


def _figures(row: Backtest, limit: TradingLimit, days: pd.DataFrame, series: DayValues) -> list[float]:
    if limit.kind == Kind.DAILY_LOSS:
        return [float(one) for one in 1.0 - series.ratios]
    if limit.kind == Kind.EXPOSURE:
        return [float(one) for one in days["shares"] * days["close"]]
    if limit.kind == Kind.CONCENTRATION:
        return [float(one) for one in days["stock_share"]]
    trades = read_frame(row, "trades_file")
    amounts = trades["notional"] if limit.kind == Kind.DAILY_NOTIONAL else np.ones(len(trades))
    total = dict.fromkeys(series.days, 0.0)
    for at, amount in zip(trades["at"], amounts, strict=True):
        day = dt.date.fromisoformat(str(at)[:10])
        total[day] = total.get(day, 0.0) + float(amount)
    return [total[day] for day in series.days]
