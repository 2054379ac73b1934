"""Trading as a Django application."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Name the application."""

    name = "trading"
