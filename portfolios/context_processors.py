"""What every page knows: the membership it acts under and the installation's environment."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def page(request: HttpRequest) -> dict[str, Any]:
    """Return the names available in every template."""
    return {"membership": getattr(request, "membership", None), "environment": settings.ENVIRONMENT}
