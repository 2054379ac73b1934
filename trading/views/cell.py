"""The cell cockpit and its tabs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portfolios.models import Cell
from trading.feeds.sources import source_of
from trading.models import Evaluation
from trading.selectors import records
from trading.selectors.cells import cell_rows, cell_views, present_moment, present_quote
from trading.selectors.history import history
from trading.selectors.orders import GROUPS
from trading.selectors.performance import daily_points
from trading.selectors.plans import plan_view, slice_outlook
from trading.selectors.portfolios import broker_differs
from trading.selectors.quotes import quote_statistics, quote_view
from trading.selectors.rests import rests_view
from trading.selectors.summary import performance_summary
from trading.selectors.tick_states import tick_lateness
from trading.selectors.times import exchange_zone
from trading.views.access import can_write, context_of, get_cell, member_page
from trading.views.controls import replay_context
from trading.views.responses import part_target
from volbal.common.templatetags.figures import zone_name

TABS = {
    "timeline": "Timeline",
    "orders": "Orders",
    "ledger": "Ledger",
    "dividends": "Dividends",
    "prices": "Prices",
    "performance": "Performance",
    "parameters": "Parameters",
}
MINUTE = 60
SECOND, TINY = dt.timedelta(seconds=1), dt.timedelta(microseconds=1)
COLUMNS = {"why": "Why", "numbers": "Numbers", "holding": "Holding"}


@require_safe
@member_page
def cell(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Show one cell whole: price, next buy and sell, gauge, chart, why, and one tab of what it did."""
    row = get_cell(cell_id)
    tab = request.GET.get("tab", "timeline")
    tab = tab if tab in TABS else "timeline"
    wanted = _part(request)
    watched = () if row.portfolio.is_archived else (row.portfolio_id,)
    context = context_of(request, *watched, cell_row=row, tab=tab, tabs=TABS)
    if wanted not in ("figures", "quote"):
        context |= _tab(request, row, tab)
    if wanted not in ("tabs", "tab"):
        context |= _head(row)
    return render(request, _TEMPLATES[wanted], context)


_TEMPLATES = {
    "tab": "trading/parts/tab.html",
    "tabs": "trading/parts/tabs.html",
    "figures": "trading/parts/cell_head.html",
    "quote": "trading/parts/cell_quote.html",
    "banners": "trading/parts/cell_banners.html",
    "whole": "trading/cell.html",
}


def _part(request: HttpRequest) -> str:
    """Return which part of the page is asked for again: by the place it goes to, else the whole."""
    place = part_target(request)
    return {"tab-panel": "tab"}.get(place or "", place if place in _TEMPLATES else "whole")


def _head(row: Cell) -> dict[str, Any]:
    view = cell_views(cell_rows([row.portfolio], archived=True).filter(pk=row.pk))[0]
    moment, plan = present_moment(row), plan_view(row)
    return {
        "cell": view,
        "portfolio": row.portfolio,
        "held": view.held,
        "broker_differs": broker_differs(row.portfolio.account),
        "late": tick_lateness(row.portfolio).text,
        "age_seconds": None if view.as_of is None else max((moment - view.as_of).total_seconds(), 0),
        "anchor_age": None if view.anchor_set_at is None else max((moment - view.anchor_set_at).total_seconds(), 0),
        "plan": plan,
        "slice_outlook": "" if plan is None else slice_outlook(row, plan),
        "rests": rests_view(row),
        **replay_context(row.portfolio),
    }


def _tab(request: HttpRequest, row: Cell, tab: str) -> dict[str, Any]:
    zone, before = exchange_zone(row.instrument.exchange), before_of(request)
    return {
        "zone": zone,
        "zone_label": zone_name(zone, present_moment(row)),
        "seconds": row.portfolio.tick_interval_seconds < MINUTE and not hasattr(row.portfolio, "replay"),
        "exportable": tab not in ("parameters", "prices"),
        # Older pages stand still, and so do forms.
        "follows": before is None and tab in ("timeline", "orders", "ledger", "dividends", "prices"),
        **_TAB_READERS[tab](request, row),
    }


def before_of(request: HttpRequest) -> int | None:
    """Return the id a page of records goes on before; None for the newest page."""
    text = request.GET.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _moment_asked(request: HttpRequest, zone: dt.tzinfo) -> dt.datetime | None:
    """Return the moment that was typed, in a zone; None where none was, or none that is one."""
    try:
        typed = dt.datetime.fromisoformat(request.GET.get("at", ""))
    except ValueError:
        return None
    return typed.replace(tzinfo=zone) if typed.tzinfo is None else typed


def _timeline(request: HttpRequest, row: Cell) -> dict[str, Any]:
    actions = [action for action in request.GET.getlist("action") if action in Evaluation.Action.values]
    columns = request.GET.get("columns", "why")
    at, before = _moment_asked(request, exchange_zone(row.instrument.exchange)), before_of(request)
    if before is None and at is not None:
        # The minute or second that was typed counts whole.
        before = history(row, actions).id_after(at + (SECOND if at.second else dt.timedelta(seconds=MINUTE)) - TINY)
    return {
        "page": records.timeline_page(row, actions, before),
        "at": "" if at is None else request.GET["at"],
        "follows": before is None and at is None,
        "actions": actions,
        "all_actions": ("BUY", "SELL", "SKIP", "HOLD"),
        "columns": columns if columns in COLUMNS else "why",
        "all_columns": COLUMNS,
    }


def _orders(request: HttpRequest, row: Cell) -> dict[str, Any]:
    group = request.GET.get("group", "")
    return {
        "page": records.page_of(records.orders(row, group), before_of(request)),
        "group": group if group in GROUPS else "",
        "all_groups": {"": "All", **GROUPS},
        "can_cancel": can_write(request),
    }


def _ledger(request: HttpRequest, row: Cell) -> dict[str, Any]:
    return {"page": records.page_of(records.ledger(row), before_of(request))}


def _dividends(request: HttpRequest, row: Cell) -> dict[str, Any]:
    return {
        "page": records.page_of(records.dividends(row), before_of(request)),
        "upcoming": records.upcoming_actions(row),
    }


def _prices(request: HttpRequest, row: Cell) -> dict[str, Any]:
    quote = present_quote(row)
    is_replay = hasattr(row.portfolio, "replay")
    return {
        "source": source_of(row.portfolio),
        "quote": None if quote is None else quote_view(quote, moment=present_moment(row), is_replay=is_replay),
        "statistics": quote_statistics(row),
    }


def _performance(request: HttpRequest, row: Cell) -> dict[str, Any]:
    points = daily_points(row)
    return {"summary": performance_summary(row, points), "has_days": bool(points)}


def _parameters(request: HttpRequest, row: Cell) -> dict[str, Any]:
    return {"parameters": records.parameter_values(row), "versions": records.versions(row)}


_TAB_READERS: dict[str, Callable[[HttpRequest, Cell], dict[str, Any]]] = {
    "timeline": _timeline,
    "orders": _orders,
    "ledger": _ledger,
    "dividends": _dividends,
    "prices": _prices,
    "performance": _performance,
    "parameters": _parameters,
}
