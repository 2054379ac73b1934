"""What every page knows: the membership it acts under and the installation's environment."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def page(request: HttpRequest) -> dict[str, Any]:
    """Return the names available in every template: memberships are all that the person may act under."""
    return {
        "membership": getattr(request, "membership", None),
        "memberships": getattr(request, "memberships", []),
        "environment": settings.ENVIRONMENT,
    }
