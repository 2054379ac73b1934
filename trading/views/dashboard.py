"""The first page, and the page of one portfolio."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portfolios.selectors import account_commission
from trading.selectors import portfolios
from trading.selectors.places import places
from trading.services.live import portfolio_update
from trading.views.access import can_write, context_of, get_portfolio, member_page
from trading.views.controls import replay_context
from trading.views.responses import is_part, json_response

DASHBOARD_PARTS = {
    "summary": "trading/parts/summary.html",
    "cells": "trading/parts/cells.html",
    "side": "trading/parts/side.html",
}
PORTFOLIO_PARTS = {
    "banners": "trading/parts/portfolio_banners.html",
    "figures": "trading/parts/portfolio_figures.html",
    "cells": "trading/parts/cells.html",
    "fills": "trading/parts/fills.html",
}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the dashboard; send whoever serves all firms and belongs to none to the console."""
    if getattr(request, "membership", None) is None and request.user.is_authenticated and request.user.is_staff:
        return redirect("admin:index")
    return dashboard(request)


@member_page
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show value, change, what is near to acting, what traded and what needs attention."""
    view = portfolios.dashboard()
    ids = [portfolio.id for portfolio in view.portfolios]
    context = context_of(request, *ids, dashboard=view, cells=view.cells, across=True)
    return render(request, _template(request, DASHBOARD_PARTS, "trading/dashboard.html"), context)


@require_safe
@member_page
def portfolio(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Show a portfolio's cells with their next buys and sells, and its replay's controls."""
    row = get_portfolio(portfolio_id)
    view = portfolios.portfolio_view(row)
    zones = {cell.id: cell.exchange_zone for cell in view.cells}
    fills = portfolios.newest_fills([view.id], zones)
    watched = () if view.is_archived else (view.id,)
    context = context_of(
        request,
        *watched,
        portfolio=view,
        cells=view.cells,
        fills=fills,
        account=row.account,
        ticks=row,
        commission=account_commission(row.account),
        trading_hours=row.get_trading_hours_display(),
        **replay_context(row),
    )
    return render(request, _template(request, PORTFOLIO_PARTS, "trading/portfolio.html"), context)


@require_safe
@member_page
def live(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Return a portfolio's present as the message a tick sends, for pages whose socket is away."""
    get_portfolio(portfolio_id)
    return json_response(portfolio_update(portfolio_id=portfolio_id, kind="tick"))


@require_safe
@member_page
def palette(request: HttpRequest) -> HttpResponse:
    """Show every page and action there is, to be found by typing."""
    template = "trading/parts/palette.html" if is_part(request) else "trading/palette.html"
    return render(request, template, context_of(request, places=places(can_write=can_write(request))))


def _template(request: HttpRequest, parts: Mapping[str, str], whole: str) -> str:
    """Return the template of the part that a live page asks for again, else of the whole page."""
    part = request.GET.get("part", "") if is_part(request) else ""
    return parts.get(part, whole)
