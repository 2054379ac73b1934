"""Owning things as a Django application."""

from django.apps import AppConfig


class PortfoliosConfig(AppConfig):
    """Name the application."""

    name = "portfolios"
