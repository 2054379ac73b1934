"""What the console's own templates ask for."""

from __future__ import annotations

from django import template
from django.contrib.admin.views.main import ChangeList

from volbal.common import console

register = template.Library()


@register.simple_tag
def empty_words(listing: ChangeList) -> str:
    """Return what a list without rows means: that nothing fits what was asked, or that there is nothing."""
    if listing.query or listing.has_active_filters:
        return "No row fits what was searched and filtered for."
    return console.empty_words(listing.model)
