"""Halts on the trader's pages: placed, lifted, and all that is in force. Each asks why and says what it reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from portfolios.models import BrokerAccount, Cell, Portfolio, Tenant
from portfolios.services import cell_resume, place_resume
from portfolios.standings import Place, Standing, place_of
from trading.selectors.halts import halts_overview, held_after, held_at
from trading.services.halts import place_restrict
from trading.services.reach import reaches
from trading.views.access import (
    acting_page,
    context_of,
    get_cell,
    get_portfolio,
    member_page,
    origin_of,
    writer_page,
)
from trading.views.actions import show_dialog
from trading.views.forms import HaltForm, ResumeForm

METHODS = ["GET", "HEAD", "POST"]
Row = Cell | Portfolio | BrokerAccount | Tenant


@require_safe
@member_page
def overview(request: HttpRequest) -> HttpResponse:
    """Show what is in force on the firm and everything in it, what was lifted, and the switches."""
    view = halts_overview(request.membership.tenant)  # type: ignore[attr-defined]  # member_page saw to it
    return render(request, "trading/halts.html", context_of(request, halts=view))


def _get_account(account_id: int) -> BrokerAccount:
    return get_object_or_404(BrokerAccount, pk=account_id)


def _get_firm(request: HttpRequest) -> Tenant:
    firm: Tenant = request.membership.tenant  # type: ignore[attr-defined]  # member_page saw to it
    return firm


def _page_of(row: Row) -> str:
    """Return the page on which a halt of a row shows."""
    if isinstance(row, Cell):
        return reverse("cell", args=[row.pk])
    return reverse("portfolio", args=[row.pk]) if isinstance(row, Portfolio) else reverse("halts")


def _halt(request: HttpRequest, row: Row) -> HttpResponse:
    place = place_of(row)

    def act(form: HaltForm) -> str:
        given = form.cleaned_data
        origin = origin_of(request, given["note"])
        place_restrict(on=place, state=given["state"], origin=origin, cancels_orders=given["cancels_orders"])
        return f"{place.label} is {given['state']} until a person resumes it."

    form = HaltForm(request.POST or None)
    note = f"It reaches {reaches([place])[0]}."
    return show_dialog(
        request, form, f"Halt: {place.label}", act, back=_page_of(row), note=note, confirm="Halt", harm=True
    )


def _resume(request: HttpRequest, row: Row, lift: Callable[[ResumeForm], Any] | None = None) -> HttpResponse:
    place = place_of(row)
    held, others = held_at(place), held_after(row)

    def act(form: ResumeForm) -> str:
        if lift is None:
            origin = origin_of(request, form.cleaned_data["note"])
            place_resume(on=place, origin=origin, seen=form.cleaned_data["seen"])
        else:
            lift(form)
        return _told(place, held_after(row))

    form = ResumeForm(request.POST or None, seen=[one.pk for one in held])
    return show_dialog(
        request,
        form,
        f"Resume: {place.label}",
        act,
        back=_page_of(row),
        held=held,
        others=others,
        confirm="Resume",
        note=reaches([place])[0].resumed if held else _paused(row),
    )


def _paused(row: Row) -> str:
    if isinstance(row, Cell) and row.status == Cell.Status.PAUSED:
        return f"It was paused{': ' + row.status_reason if row.status_reason else ''}."
    return "Nothing holds it at this level."


def _told(place: Place, others: Standing) -> str:
    if not others.held_by:
        return f"{place.label} is resumed."
    still = "; ".join(f"{one.label} is {one.state}: {one.reason}" for one in others.held_by)
    return f"{place.label} is resumed, and still held: {still}"


@require_http_methods(METHODS)
@writer_page
def halt_cell(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Stop a cell, or let it only reduce."""
    return _halt(request, get_cell(cell_id))


@require_http_methods(METHODS)
@writer_page
def resume_cell(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Let a halted or paused cell trade again, for a reason."""
    cell = get_cell(cell_id)

    def lift(form: ResumeForm) -> None:
        origin = origin_of(request, form.cleaned_data["note"])
        cell_resume(cell=cell, origin=origin, seen=form.cleaned_data["seen"])

    return _resume(request, cell, lift)


@require_http_methods(METHODS)
@writer_page
def halt_portfolio(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Stop a portfolio, or let it only reduce."""
    return _halt(request, get_portfolio(portfolio_id))


@require_http_methods(METHODS)
@writer_page
def resume_portfolio(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Lift what holds a portfolio as a whole."""
    return _resume(request, get_portfolio(portfolio_id))


@require_http_methods(METHODS)
@acting_page
def halt_account(request: HttpRequest, account_id: int) -> HttpResponse:
    """Stop an account, or let it only reduce."""
    return _halt(request, _get_account(account_id))


@require_http_methods(METHODS)
@acting_page
def resume_account(request: HttpRequest, account_id: int) -> HttpResponse:
    """Lift what holds an account as a whole."""
    return _resume(request, _get_account(account_id))


@require_http_methods(METHODS)
@acting_page
def halt_firm(request: HttpRequest) -> HttpResponse:
    """Stop everything the firm trades, or let it only reduce."""
    return _halt(request, _get_firm(request))


@require_http_methods(METHODS)
@acting_page
def resume_firm(request: HttpRequest) -> HttpResponse:
    """Lift what holds the firm as a whole."""
    return _resume(request, _get_firm(request))
