"""Signing in and out, and the firm a person acts for."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from portfolios.middleware import SESSION_KEY


class SignIn(LoginView):
    """Let a person in by e-mail address and password; what was typed stays when it is refused."""

    template_name = "portfolios/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """End a session; only by POST, so that no link can."""


@require_POST
@login_required
def tenant_switch(request: HttpRequest, tenant_id: int) -> HttpResponse:
    """Act for another of one's own firms from here on, until signing out."""
    if not any(one.tenant_id == tenant_id for one in request.memberships):  # type: ignore[attr-defined]  # middleware's
        raise PermissionDenied("You do not belong to that firm.")
    request.session[SESSION_KEY] = tenant_id
    return redirect("dashboard")
