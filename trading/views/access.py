"""Who may see and who may change. The server refuses; pages only leave out what would be refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from portfolios.models import Cell, Membership, Portfolio
from portfolios.services.origin import Origin

View = Callable[..., HttpResponse]

ACTING = frozenset({Membership.Role.OWNER, Membership.Role.OPERATOR})
WRITERS = frozenset({Membership.Role.OWNER, Membership.Role.OPERATOR, Membership.Role.TRADER})


def can_write(request: HttpRequest) -> bool:
    """Return whether this request's membership may change anything."""
    membership: Membership | None = getattr(request, "membership", None)
    return membership is not None and membership.role in WRITERS


def member_page(view: View) -> View:
    """Serve a page to signed-in members of a tenant, its times in their zone."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if getattr(request, "membership", None) is None:
            raise PermissionDenied("You belong to no firm here. Ask an owner of yours to add you.")
        with timezone.override(_zone(request)):
            return view(request, *args, **kwargs)

    return guarded


def writer_page(view: View) -> View:
    """Serve a page to members whose role may change things; refuse all others, whatever the method."""

    @member_page
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not can_write(request):
            raise PermissionDenied("Your role reads; it does not change anything.")
        return view(request, *args, **kwargs)

    return guarded


def can_act(request: HttpRequest) -> bool:
    """Return whether this request's membership acts for the whole firm: owners and operators."""
    membership: Membership | None = getattr(request, "membership", None)
    return membership is not None and membership.role in ACTING


def acting_page(view: View) -> View:
    """Serve a page to owners and operators; refuse all others, whatever the method."""

    @member_page
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not can_act(request):
            raise PermissionDenied("An owner or operator of your firm does this.")
        return view(request, *args, **kwargs)

    return guarded


def get_portfolio(portfolio_id: int) -> Portfolio:
    """Return a portfolio of the tenant in scope with account and replay; any other is not found."""
    return get_object_or_404(
        Portfolio.objects.select_related("account__reconciliation", "replay", "tick_state"), pk=portfolio_id
    )


def get_cell(cell_id: int) -> Cell:
    """Return a cell of the tenant in scope with all that pages read of it; any other is not found."""
    rows = Cell.objects.select_related(
        "instrument",
        "parameters",
        "portfolio__account__reconciliation",
        "portfolio__replay",
        "portfolio__tick_state",
    )
    return get_object_or_404(rows, pk=cell_id)


def origin_of(request: HttpRequest, reason: str = "") -> Origin:
    """Return the signed-in person as the one behind a change."""
    return Origin(actor_id=request.user.pk, reason=reason)


def context_of(request: HttpRequest, *portfolio_ids: int, **values: Any) -> dict[str, Any]:
    """Return a template's context: what may be done, and which portfolios the page watches."""
    return {
        "can_write": can_write(request),
        "can_act": can_act(request),
        "live_portfolios": list(portfolio_ids),
        **values,
    }


def _zone(request: HttpRequest) -> ZoneInfo:
    try:
        return ZoneInfo(request.user.time_zone)  # type: ignore[union-attr]  # member_page lets nobody in unsigned
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
