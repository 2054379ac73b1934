"""Sockets, and in the one embedded process pages too."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "volbal.settings.production")

pages = get_asgi_application()

import volbal.celery  # noqa: E402, F401  # what pages start reaches the configured broker
from volbal.routing import websocket_urlpatterns  # noqa: E402  # models load only after the application

application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
