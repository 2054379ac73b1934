"""Signing in and out."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView


class SignIn(LoginView):
    """Let a person in by e-mail address and password; what was typed stays when it is refused."""

    template_name = "portfolios/sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """End a session; only by POST, so that no link can."""
