"""Charts of a finished backtest, described in full: the browser computes no number."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from optimization.models import Backtest
from optimization.services.results import read_frame
from trading.marketdata.calendars import exchange_calendar
from trading.selectors.charts import ChartSpecification, Column, Line, Mark

if TYPE_CHECKING:
    import pandas as pd

# Days are dates, not moments: they are drawn as midnight of a zone in which they stay what they are.
DAY_ZONE = "UTC"


def equity_chart(row: Backtest) -> ChartSpecification:
    """Return the value at each day's end beside the stock and the mix left alone, in currency."""
    days = read_frame(row, "days_file")
    lines = (
        Line("stock", "stock", "sell", _column(days, "stock_value"), 1, labelled=True),
        Line("mix", "mix", "muted", _column(days, "mix_value"), 1, "dashed", labelled=True),
        Line("value", "backtest", "accent", _column(days, "value"), 2, labelled=True),
    )
    return ChartSpecification(zone=DAY_ZONE, daily=True, format="money", time=_times(days), lines=lines, marked="value")


def drawdown_chart(row: Backtest) -> ChartSpecification:
    """Return how far the value stood below its highest so far at each day's end, a fraction ≤ 0."""
    days = read_frame(row, "days_file")
    line = Line("drawdown", "drawdown", "down", _column(days, "drawdown"), 2, labelled=True)
    return ChartSpecification(
        zone=DAY_ZONE, daily=True, format="signed-percent", time=_times(days), lines=(line,), marked="drawdown"
    )


def price_chart(row: Backtest) -> ChartSpecification:
    """Return each day's close with the anchor's steps and every fill."""
    days = read_frame(row, "days_file")
    lines = (
        Line("anchor", "anchor", "accent", _column(days, "anchor"), 1, "dashed", True),
        Line("close", "", "ink", _column(days, "close"), 2, labelled=True),
    )
    return ChartSpecification(
        zone=DAY_ZONE,
        daily=True,
        format="price",
        time=_times(days),
        lines=lines,
        marks=_marks(row),
        marked="close",
    )


def _marks(row: Backtest) -> tuple[Mark, ...]:
    trades = read_frame(row, "trades_file")
    columns = (trades[name].tolist() for name in ("at", "side", "quantity", "price"))
    return tuple(
        Mark(
            number, day_second(_day_of(row, at)), side, f"{quantity:,.6f}".rstrip("0").rstrip(".") + f" at {price:,.2f}"
        )
        for number, (at, side, quantity, price) in enumerate(zip(*columns, strict=True))
    )


def _day_of(row: Backtest, at: str) -> dt.date:
    """Return the exchange's day of a trade's stamp."""
    if "T" not in at:
        return dt.date.fromisoformat(at)
    return exchange_calendar(row.instrument.exchange).day_of(dt.datetime.fromisoformat(at))


def _times(days: pd.DataFrame) -> list[int]:
    return [day_second(dt.date.fromisoformat(day)) for day in days["date"]]


def day_second(day: dt.date) -> int:
    """Return where a day stands on a chart, in seconds since 1970."""
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())


def _column(days: pd.DataFrame, name: str) -> Column:
    values: list[Any] = days[name].astype(object).where(days[name].notna(), None).tolist()
    return values
