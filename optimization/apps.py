"""Research as a Django application."""

from django.apps import AppConfig


class OptimizationConfig(AppConfig):
    """Name the application."""

    name = "optimization"
