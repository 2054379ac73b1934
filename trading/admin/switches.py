"""What the console's first page shows of halts: those in force, and a switch for each level a person acts on."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from portfolios.models import TradingRestriction
from trading.selectors.halts import in_force_views
from volbal.common.admin import is_platform_operator, may_act, roles_of

Level = TradingRestriction.Level


def switches_of(request: HttpRequest) -> dict[str, Any]:
    """Return the switches of a person and what is in force where they may look."""
    sees = sees_console(request)
    held = in_force_views() if sees else []
    return {
        "sees": sees,
        "switches": [{"level": one.value, "label": _named(one)} for one in _levels(request)],
        "held": [{"view": view, "acts": may_act(request, view.row.tenant_id)} for view in held],
    }


def sees_console(request: HttpRequest) -> bool:
    """Return whether a person reads the console of any firm."""
    return is_platform_operator(request) or bool(roles_of(request))


def _levels(request: HttpRequest) -> list[TradingRestriction.Level]:
    if is_platform_operator(request):
        return list(Level)
    acts = any(may_act(request, tenant) for tenant in roles_of(request))
    return [one for one in Level if one not in TradingRestriction.SHARED_LEVELS] if acts else []


def _named(level: TradingRestriction.Level) -> str:
    if level == Level.EVERYWHERE:
        return "everything"
    return f"{'an' if level == Level.ACCOUNT else 'a'} {level.label.lower()}"
