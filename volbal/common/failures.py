"""The page for a request that failed: 503 where a server of ours is away for a moment, 500 otherwise."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from redis.exceptions import ConnectionError as RedisGoneError

AWAY = (OperationalError, InterfaceError, RedisGoneError)
RETRY_AFTER_SECONDS = 5


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for an exception that nobody handled; called by Django while it is being handled."""
    if not isinstance(sys.exception(), AWAY):
        return HttpResponse(loader.render_to_string("500.html"), status=500)
    response = HttpResponse(loader.render_to_string("503.html"), status=503)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
