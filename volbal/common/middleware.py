"""What wraps every request: an id to trace its events by, and the console's own content security policy."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """Return the id of the request being served, or an empty text outside one."""
    return _request_id.get()


class RequestIdMiddleware:
    """Give each request an id of our own making and return it as `X-Request-ID`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _request_id.set(uuid.uuid4().hex)
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = current_request_id()
            return response
        finally:
            _request_id.reset(token)


class ConsolePolicyMiddleware:
    """Loosen the content security policy for the console's pages, by path. Stands inside the policy's middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith(settings.CONSOLE_PATH):
            response._csp_replace = settings.CONSOLE_SECURITY_POLICY  # type: ignore[attr-defined]  # read by csp
        return response
