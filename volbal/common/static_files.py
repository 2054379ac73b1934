"""Static files from the application itself, in one process and behind a WSGI server alike."""

from __future__ import annotations

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseFileResponse, WhiteNoiseMiddleware


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]  # whitenoise ships no types
    """WhiteNoise, with whole answers under ASGI: there Django would read its file in pieces and warn about each."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with a static file when the address names one."""
        response: HttpResponseBase = super().__call__(request)
        if isinstance(request, ASGIRequest) and isinstance(response, WhiteNoiseFileResponse):
            return _whole(response)
        return response


def _whole(response: WhiteNoiseFileResponse) -> HttpResponse:
    """Return the same answer with its file read; static files are small."""
    whole = HttpResponse(response.getvalue(), status=response.status_code, headers=dict(response.items()))
    response.close()
    return whole
