"""Backtests beside each other."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from optimization.models import Backtest
from optimization.selectors.comparison import MOST, comparison, growth_chart, runs_of
from trading.views.access import context_of, member_page
from trading.views.responses import json_response

FEWEST = 2


@require_safe
@member_page
def compare(request: HttpRequest) -> HttpResponse:
    """Show the chosen backtests that have a result beside each other; fewer than two are no comparison."""
    rows = _runs(request)
    enough = len(rows) >= FEWEST
    context = context_of(
        request, compared=comparison(rows) if enough else None, query=request.GET.urlencode(), most_compared=MOST
    )
    return render(request, "optimization/compare.html", context)


@require_safe
@member_page
def growth(request: HttpRequest) -> HttpResponse:
    """Return the chosen backtests' growth as one chart."""
    return json_response(growth_chart(_runs(request)))


def _runs(request: HttpRequest) -> list[Backtest]:
    typed = request.GET.getlist("run")
    return runs_of([int(one) for one in typed if one.isascii() and one.isdigit() and len(one) < 10])
