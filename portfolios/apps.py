"""Owning things as a Django application."""

from django.apps import AppConfig


class PortfoliosConfig(AppConfig):
    """Name the application and register its checks."""

    name = "portfolios"

    def ready(self) -> None:
        """Register the check of the keys that encrypt brokers' credentials."""
        from portfolios import credentials  # noqa: F401  # registers its check
