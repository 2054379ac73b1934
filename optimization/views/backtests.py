"""The list of backtests, one of them, and how a new one is asked for."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from optimization.models import Backtest
from optimization.selectors.backtests import LISTED, backtest_rows, backtest_view, figures_of, trade_page
from optimization.selectors.comparison import MOST
from optimization.services.backtests import backtest_cancel, backtest_create
from optimization.tasks import run_backtest
from optimization.views.forms import BacktestForm
from trading.selectors.records import page_of
from trading.views.access import context_of, member_page, origin_of, writer_page
from trading.views.cell import before_of
from trading.views.responses import done, part_target
from volbal.common.errors import VolbalError
from volbal.common.starting import task_start


def get_backtest(backtest_id: int) -> Backtest:
    """Return a backtest of the tenant in scope; any other is not found."""
    return get_object_or_404(backtest_rows(), pk=backtest_id)


@require_safe
@member_page
def backtests(request: HttpRequest) -> HttpResponse:
    """Show the tenant's backtests, newest first."""
    page = page_of(backtest_rows(), before_of(request))
    rows = [(row, figures_of(row, LISTED)) for row in page.rows]
    return render(request, "optimization/backtests.html", context_of(request, page=page, rows=rows, most_compared=MOST))


@require_safe
@member_page
def backtest(request: HttpRequest, backtest_id: int) -> HttpResponse:
    """Show one backtest: measures, charts, trades, and what it was made from."""
    row = get_backtest(backtest_id)
    context = context_of(request, backtest=backtest_view(row), row=row)
    if row.state == Backtest.State.COMPLETED:
        context["trades"] = trade_page(row, _start(request))
    if part_target(request) == "trades":
        return render(request, "optimization/parts/trades.html", context)
    if part_target(request) == "state":
        return _state(request, row, context)
    return render(request, "optimization/backtest.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def new(request: HttpRequest) -> HttpResponse:
    """Ask for a backtest; what was typed is kept beside what is wrong with it."""
    form = BacktestForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            row = backtest_create(tenant=request.membership.tenant, origin=origin_of(request), **form.asked())  # type: ignore[attr-defined]  # set by TenantMiddleware
        except VolbalError as error:
            form.add_error(None, str(error))
        else:
            task_start(run_backtest, row.tenant_id, row.pk)
            return redirect("backtest", row.pk)
    status = 422 if form.errors else 200
    return render(request, "optimization/new.html", context_of(request, form=form), status=status)


@require_POST
@writer_page
def cancel(request: HttpRequest, backtest_id: int) -> HttpResponse:
    """Cancel a backtest that waits or runs."""
    row = get_backtest(backtest_id)
    try:
        backtest_cancel(backtest=row, origin=origin_of(request))
    except VolbalError as error:
        messages.error(request, str(error))
    return done(request, reverse("backtest", args=[row.pk]))


def _state(request: HttpRequest, row: Backtest, context: dict[str, object]) -> HttpResponse:
    """Answer a page that waits: how far it is, or, once it has ended, the page anew."""
    if not row.is_finished:
        return render(request, "optimization/parts/state.html", context)
    response = HttpResponse(status=204)
    response["HX-Refresh"] = "true"
    return response


def _start(request: HttpRequest) -> int:
    text = request.GET.get("from", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
