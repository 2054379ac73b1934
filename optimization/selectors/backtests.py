"""Backtests as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from optimization.figures import UNSIGNED
from optimization.models import Backtest
from optimization.services.results import read_frame
from volbal.strategy import MEASURES, PARAMETER_SPECIFICATIONS

TRADES_ON_A_PAGE = 50
MEASURE_NAMES = tuple(one.name for one in MEASURES)
# What the list of backtests shows, column by column.
LISTED = ("total_return", "excess_over_mix", "alpha", "max_drawdown", "sharpe", "trades")
# What a reader looks at first: what it made, against what, and at what risk.
LEADING = ("final_value", "total_return", "alpha", "excess_over_mix", "max_drawdown", "sharpe", "trades")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure: its value, how it is written, its unit and its definition.

    Where orders rest `pair` is the intrabar band: the value if each bar went to its high first, and to its low first.
    """

    name: str
    label: str
    value: float | None
    form: str
    unit: str
    definition: str
    pair: tuple[float | None, float | None] | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter or option, and what it was."""

    name: str
    value: Any
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class TradePage:
    """Trades from `start` (0 is the first) up to `end`, and where the pages beside it begin; None at the ends."""

    rows: tuple[dict[str, Any], ...]
    start: int
    end: int
    total: int
    earlier: int | None
    later: int | None


@dataclass(frozen=True, slots=True)
class BacktestView:
    """A backtest with all that its page shows of it; figures are empty until it is completed."""

    row: Backtest
    leading: tuple[Figure, ...]
    figures: tuple[Figure, ...]
    skips: tuple[tuple[str, int], ...]
    parameters: tuple[Setting, ...]
    options: tuple[Setting, ...]

    @property
    def quality(self) -> dict[str, Any]:
        """Return the quality report of its bars: as it was when it ran, before that as it is now."""
        report: dict[str, Any] = self.row.manifest.get("quality") or self.row.series.quality
        return report


def backtest_rows() -> QuerySet[Backtest]:
    """Return the backtests of the tenant in scope, newest first, with what lists and pages read of them."""
    return Backtest.objects.select_related("instrument", "series", "created_by").order_by("-id")


def backtest_view(row: Backtest) -> BacktestView:
    """Return a backtest as its page shows it; no further query."""
    figures = figures_of(row)
    by_name = {figure.name: figure for figure in figures}
    return BacktestView(
        row=row,
        leading=tuple(by_name[name] for name in LEADING if name in by_name),
        figures=figures,
        skips=tuple(sorted(row.skips.items())),
        parameters=tuple(
            Setting(one.name, _exact(row.parameters.get(one.name)), one.unit, one.description)
            for one in PARAMETER_SPECIFICATIONS
        ),
        options=tuple(Setting(name, _exact(value), "", "") for name, value in row.options.items()),
    )


def figures_of(row: Backtest, names: tuple[str, ...] = MEASURE_NAMES) -> tuple[Figure, ...]:
    """Return measures of a completed backtest by name, all in the order of strategy 11; none before."""
    if row.state != Backtest.State.COMPLETED:
        return ()
    by_name = {one.name: one for one in MEASURES}
    return tuple(
        Figure(
            one.name,
            one.label,
            row.measures.get(one.name),
            _form(one.name, one.unit),
            one.unit,
            one.definition,
            (row.band["ohlc"].get(one.name), row.band["olhc"].get(one.name)) if row.band else None,
        )
        for one in (by_name[name] for name in names)
    )


def trade_page(row: Backtest, start: int) -> TradePage:
    """Return a page of trades in the order they were made, from the place `start` on, 0 first."""
    frame = read_frame(row, "trades_file")
    total = len(frame)
    start = max(min(start, max(total - 1, 0)), 0)
    shown = frame.iloc[start : start + TRADES_ON_A_PAGE]
    shown = shown.astype(object).where(shown.notna(), None)
    end = start + TRADES_ON_A_PAGE
    return TradePage(
        rows=tuple({str(name): value for name, value in one.items()} for one in shown.to_dict("records")),
        start=start,
        end=min(end, total),
        total=total,
        earlier=max(start - TRADES_ON_A_PAGE, 0) if start > 0 else None,
        later=end if end < total else None,
    )


def _exact(value: Any) -> Any:
    """Return a float as the decimal that was typed, which pages show without an exponent or trailing zeros."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _form(name: str, unit: str) -> str:
    """Return how pages write a measure."""
    if unit == "fraction":
        return "percent" if name in UNSIGNED else "signed-percent"
    return "money" if unit == "currency" else "quantity"
