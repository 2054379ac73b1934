"""The first page, and the page of one portfolio."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trading.selectors import portfolios
from trading.selectors.live import live_message
from trading.views.access import context_of, get_portfolio, member_page
from trading.views.responses import json_response


@require_safe
@member_page
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show value, change, what is near to acting, what traded and what needs attention."""
    view = portfolios.dashboard()
    ids = [portfolio.id for portfolio in view.portfolios]
    part = request.GET.get("part") if request.htmx else None  # type: ignore[attr-defined]  # set by its middleware
    templates = {"cells": "trading/parts/cells.html", "side": "trading/parts/side.html"}
    context = context_of(request, *ids, dashboard=view, cells=view.cells, across=True)
    return render(request, templates.get(part or "", "trading/dashboard.html"), context)


@require_safe
@member_page
def portfolio(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Show a portfolio's cells with their next buys and sells, and its replay's controls."""
    row = get_portfolio(portfolio_id)
    view = portfolios.portfolio_views([row])[0]
    zones = {cell.id: cell.exchange_zone for cell in view.cells}
    fills = portfolios.newest_fills([view.id], zones)
    context = context_of(request, view.id, portfolio=view, cells=view.cells, fills=fills)
    if request.htmx and request.GET.get("part") == "cells":  # type: ignore[attr-defined]  # set by its middleware
        return render(request, "trading/parts/cells.html", context)
    return render(request, "trading/portfolio.html", context)


@require_safe
@member_page
def live(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Return a portfolio's present as the message a tick sends, for pages whose socket is away."""
    return json_response(live_message(get_portfolio(portfolio_id)))
