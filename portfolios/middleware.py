"""The tenant of a request: chosen from the person's memberships and the session, never from what the request says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portfolios.models import Membership
from volbal.common.tenancy import every_tenant, tenant_scope, tenants_scope

SESSION_KEY = "tenant_id"


def memberships_of(request: HttpRequest) -> list[Membership]:
    """Return the person's active memberships with their tenants, in one query; none for nobody."""
    user = request.user
    if not user.is_authenticated:
        return []
    return list(user.memberships.filter(is_active=True).select_related("tenant").order_by("id"))


def chosen_of(request: HttpRequest, memberships: list[Membership]) -> Membership | None:
    """Return the membership this request acts under: the session's tenant, else the person's first, else None."""
    chosen = request.session.get(SESSION_KEY)
    return next((one for one in memberships if one.tenant_id == chosen), memberships[0] if memberships else None)


class TenantMiddleware:
    """Open the tenant scope around each request. Without a membership none is open, and any query raises."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with self._scope(request):
            return self.get_response(request)

    def _scope(self, request: HttpRequest) -> AbstractContextManager[None]:
        if request.path.startswith(settings.CONSOLE_PATH):
            return self._console_scope(request)
        memberships = memberships_of(request)
        membership = chosen_of(request, memberships)
        request.memberships = memberships  # type: ignore[attr-defined]  # what the menu offers
        request.membership = membership  # type: ignore[attr-defined]  # what pages act under
        return nullcontext() if membership is None else tenant_scope(membership.tenant_id)

    def _console_scope(self, request: HttpRequest) -> AbstractContextManager[None]:
        user = request.user
        if not user.is_authenticated:
            return nullcontext()
        if user.is_superuser:
            return every_tenant()
        return tenants_scope(user.memberships_for_console().values_list("tenant_id", flat=True))
