"""A backtest's data: charts as JSON, the same as a table, and as CSV to take away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from optimization.models import Backtest
from optimization.selectors import charts
from optimization.services.results import read_frame
from optimization.views.backtests import get_backtest
from trading.views.access import context_of, member_page
from trading.views.responses import csv_response, is_part, json_response
from volbal.common.templatetags import figures

TABLE_ROWS = 100
CHARTS = {"equity": charts.equity_chart, "drawdown": charts.drawdown_chart, "price": charts.price_chart}
EXPORTS = {"days": "days_file", "trades": "trades_file"}
DAY_COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "date": ("Day", str),
    "close": ("Close", figures.price),
    "value": ("Value", figures.money),
    "stock_value": ("Stock", figures.money),
    "mix_value": ("Mix left alone", figures.money),
    "drawdown": ("Drawdown", figures.signed_percent),
    "stock_share": ("Stock share", figures.percent),
    "anchor": ("Anchor", figures.price),
}


@require_safe
@member_page
def chart(_: HttpRequest, backtest_id: int, what: str) -> HttpResponse:
    """Return one of a backtest's charts."""
    if what not in CHARTS:
        raise Http404(f"There is no chart called {what}.")
    return json_response(CHARTS[what](_completed(backtest_id)))


@require_safe
@member_page
def days(request: HttpRequest, backtest_id: int) -> HttpResponse:
    """Show the charts' newest data as a table."""
    row = _completed(backtest_id)
    frame = read_frame(row, "days_file").iloc[::-1].head(TABLE_ROWS)
    rows = [
        [write(value) for (_, write), value in zip(DAY_COLUMNS.values(), cells, strict=True)]
        for cells in _cells(frame[list(DAY_COLUMNS)])
    ]
    context = context_of(
        request,
        title=f"Days of {row.name}",
        header=[label for label, _ in DAY_COLUMNS.values()],
        rows=rows,
        csv=reverse("backtest-export", args=[row.pk, "days"]),
    )
    template = "trading/parts/records.html" if is_part(request) else "trading/records.html"
    return render(request, template, context)


@require_safe
@member_page
def export(_: HttpRequest, backtest_id: int, what: str) -> HttpResponse:
    """Download days or trades as CSV, whole, fractions as fractions."""
    if what not in EXPORTS:
        raise Http404(f"There is no export called {what}.")
    row = _completed(backtest_id)
    frame = read_frame(row, EXPORTS[what])
    return csv_response(f"{row.instrument.symbol}-backtest-{row.pk}-{what}", list(frame.columns), _cells(frame))


def _completed(backtest_id: int) -> Backtest:
    row = get_backtest(backtest_id)
    if row.state != Backtest.State.COMPLETED:
        raise Http404(f"{row.name} has no result: it is {row.get_state_display().lower()}.")
    return row


def _cells(frame: Any) -> Iterable[Sequence[Any]]:
    """Return the rows of a table as plain values, None for what is undefined."""
    rows: list[list[Any]] = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return rows
