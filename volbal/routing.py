"""Every address of the sockets."""

from typing import Any

from django.urls import path

from trading.consumers import PortfolioConsumer

# Django's types know views only; Channels routes consumers by the same path().
_watch_portfolio: Any = PortfolioConsumer.as_asgi()
websocket_urlpatterns: list[Any] = [
    path("ws/portfolio/<int:portfolio_id>/", _watch_portfolio),
]
