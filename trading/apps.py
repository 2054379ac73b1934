"""Trading as a Django application."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Name the application, and check how far it is told to trust prices."""

    name = "trading"

    def ready(self) -> None:
        """Register the checks of settings."""
        from trading.services import price_limits

        price_limits.register_check()
