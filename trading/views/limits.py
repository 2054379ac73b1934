"""Limits of a portfolio or a cell: what it stands under, when it was broken, a rehearsal, and setting one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from portfolios.models import Cell, Portfolio, TradingRestriction
from portfolios.standings import place_of
from trading.models import TradingLimit
from trading.selectors.limits import limits_of, threshold_text, trips_of
from trading.selectors.rehearsals import rehearsal
from trading.services.limits import limit_set, limit_switch
from trading.views.access import context_of, get_cell, get_portfolio, member_page, origin_of, writer_page
from trading.views.actions import show_dialog
from trading.views.forms import LimitForm, LimitSwitchForm, RehearsalForm
from trading.views.responses import done
from volbal.common.errors import VolbalError

Level = TradingRestriction.Level
Row = Cell | Portfolio


@require_http_methods(["GET", "HEAD"])
@member_page
def portfolio_limits(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Show the limits of a portfolio, and rehearse one."""
    return _page(request, get_portfolio(portfolio_id))


@require_http_methods(["GET", "HEAD"])
@member_page
def cell_limits(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Show the limits of a cell, and rehearse one."""
    return _page(request, get_cell(cell_id))


@require_http_methods(["POST"])
@writer_page
def portfolio_limit_set(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Set a limit on a portfolio."""
    return _set(request, get_portfolio(portfolio_id))


@require_http_methods(["POST"])
@writer_page
def cell_limit_set(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Set a limit on a cell."""
    return _set(request, get_cell(cell_id))


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def limit_mode(request: HttpRequest, limit_id: int) -> HttpResponse:
    """Switch a limit of a portfolio or a cell off, to rehearsing, or on."""
    rows = TradingLimit.objects.select_related("portfolio__account", "cell__portfolio", "cell__instrument")
    limit = get_object_or_404(rows, pk=limit_id, level__in=[Level.PORTFOLIO, Level.CELL])

    def act(form: Any) -> str:
        mode = form.cleaned_data["mode"]
        limit_switch(limit=limit, mode=mode, origin=origin_of(request, form.cleaned_data["note"]))
        return f"{limit} is {mode}."

    form = LimitSwitchForm(request.POST or None, initial={"mode": limit.mode})
    note = f"{limit.get_kind_display()} at {threshold_text(limit)}: {rehearsal(limit).summary}"
    return show_dialog(
        request,
        form,
        "Switch the limit",
        act,
        back=_address(limit.cell or limit.portfolio),
        note=note,
        confirm="Switch",
    )


def _address(row: Row | None) -> str:
    if isinstance(row, Cell):
        return reverse("cell-limits", args=[row.pk])
    return reverse("portfolio-limits", args=[row.pk]) if row is not None else reverse("halts")


def _page(request: HttpRequest, row: Row, form: LimitForm | None = None, status: int = 200) -> HttpResponse:
    asked = RehearsalForm(request.GET if "threshold" in request.GET else None)
    found = proposed = None
    if asked.is_bound and asked.is_valid():
        proposed = asked.limit(place_of(row))
        found = rehearsal(proposed, asked.cleaned_data["resume_after_days"])
        form = form or LimitForm(initial={**asked.cleaned_data, "threshold": asked.data.get("threshold")})
    context = {
        "row": row,
        "is_cell": isinstance(row, Cell),
        "limits": limits_of(row),
        "trips": trips_of(row),
        "asked": asked,
        "found": found,
        "proposed": proposed,
        "form": form or LimitForm(),
        "back": reverse("cell" if isinstance(row, Cell) else "portfolio", args=[row.pk]),
    }
    return render(request, "trading/limits.html", context_of(request, **context), status=status)


def _set(request: HttpRequest, row: Row) -> HttpResponse:
    form = LimitForm(request.POST)
    if form.is_valid():
        given = dict(form.cleaned_data)
        note = given.pop("note")
        try:
            made = limit_set(on=place_of(row), origin=origin_of(request, note), **given)
        except VolbalError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{made} is {made.mode} at {threshold_text(made)}.")
            return done(request, _address(row))
    return _page(request, row, form, status=422)
