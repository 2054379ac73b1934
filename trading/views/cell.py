"""The cell cockpit and its tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portfolios.models import Cell
from trading.models import Evaluation
from trading.selectors import records
from trading.selectors.cells import cell_rows, cell_views
from trading.selectors.performance import daily_points
from trading.selectors.portfolios import replay_view
from trading.selectors.summary import performance_summary
from trading.views.access import context_of, get_cell, member_page

TABS = {
    "timeline": "Timeline",
    "orders": "Orders",
    "ledger": "Ledger",
    "dividends": "Dividends",
    "performance": "Performance",
    "parameters": "Parameters",
}
COLUMNS = {"why": "Why", "numbers": "Numbers", "holding": "Holding"}


@require_safe
@member_page
def cell(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Show one cell whole: price, next buy and sell, gauge, chart, why, and one tab of what it did."""
    row = get_cell(cell_id)
    tab = request.GET.get("tab", "timeline")
    tab = tab if tab in TABS else "timeline"
    context = context_of(request, row.portfolio_id, cell_row=row, tab=tab, tabs=TABS, **_TAB_READERS[tab](request, row))
    if request.htmx and request.htmx.target == "tab-panel":  # type: ignore[attr-defined]  # set by its middleware
        return render(request, "trading/parts/tab.html", context)
    if request.htmx and request.htmx.target == "tabs":  # type: ignore[attr-defined]  # set by its middleware
        return render(request, "trading/parts/tabs.html", context)
    replay = getattr(row.portfolio, "replay", None)
    context |= {
        "cell": cell_views(cell_rows([row.portfolio], archived=True).filter(pk=row.pk))[0],
        "replay": None if replay is None else replay_view(replay),
        "portfolio": row.portfolio,
    }
    return render(request, "trading/cell.html", context)


def before_of(request: HttpRequest) -> int | None:
    """Return the id a page of records goes on before; None for the newest page."""
    text = request.GET.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _timeline(request: HttpRequest, row: Cell) -> dict[str, Any]:
    actions = [action for action in request.GET.getlist("action") if action in Evaluation.Action.values]
    columns = request.GET.get("columns", "why")
    return {
        "page": records.page_of(records.timeline(row, actions), before_of(request)),
        "actions": actions,
        "all_actions": ("BUY", "SELL", "SKIP", "HOLD"),
        "columns": columns if columns in COLUMNS else "why",
        "all_columns": COLUMNS,
    }


def _orders(request: HttpRequest, row: Cell) -> dict[str, Any]:
    return {"page": records.page_of(records.orders(row), before_of(request))}


def _ledger(request: HttpRequest, row: Cell) -> dict[str, Any]:
    return {"page": records.page_of(records.ledger(row), before_of(request))}


def _dividends(request: HttpRequest, row: Cell) -> dict[str, Any]:
    return {"page": records.page_of(records.dividends(row), before_of(request))}


def _performance(request: HttpRequest, row: Cell) -> dict[str, Any]:
    return {"summary": performance_summary(row, daily_points(row))}


def _parameters(request: HttpRequest, row: Cell) -> dict[str, Any]:
    return {"parameters": records.parameter_values(row), "versions": records.versions(row)}


_TAB_READERS: dict[str, Callable[[HttpRequest, Cell], dict[str, Any]]] = {
    "timeline": _timeline,
    "orders": _orders,
    "ledger": _ledger,
    "dividends": _dividends,
    "performance": _performance,
    "parameters": _parameters,
}
