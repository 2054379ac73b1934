"""The console's first page: what is halted, the way to halt more or resume, and what waits for a person."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django import template
from django.template import Context

register = template.Library()


@register.inclusion_tag("admin/trading/halt_switches.html", takes_context=True)
def halt_switches(context: Context) -> dict[str, Any]:
    """Show the halts in force with their age, and big switches for the levels that the person acts on."""
    # Template libraries are loaded while the console itself is being imported.
    switches: dict[str, Any] = import_module("trading.admin.switches").switches_of(context["request"])
    return switches


@register.inclusion_tag("admin/trading/waiting.html", takes_context=True)
def waiting(context: Context) -> dict[str, Any]:
    """Show what waits for a person in the tables they read, each with the way there."""
    request = context["request"]
    sees = import_module("trading.admin.switches").sees_console(request)
    return {"sees": sees, "waiting": import_module("trading.admin.waiting").waiting_for(request) if sees else []}
