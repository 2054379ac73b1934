"""Every address of the sockets."""

from django.urls import path

from trading.consumers import PortfolioConsumer

websocket_urlpatterns = [
    path("ws/portfolio/<int:portfolio_id>/", PortfolioConsumer.as_asgi()),
]
