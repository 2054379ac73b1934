"""Limits: set, and switched between off, rehearsing and on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction

from portfolios.services import Origin, changing, event_record
from portfolios.services.checks import insert, require_reason
from portfolios.services.events import subject_of
from portfolios.standings import Place
from trading.models import TradingLimit
from volbal.common.errors import Refused
from volbal.common.tenancy import require_tenant

Kind = TradingLimit.Kind
DAY_SECONDS = 86_400
VALUES = ("threshold", "window_seconds", "mode")


def limit_set(
    *,
    on: Place,
    kind: str,
    threshold: Decimal,
    action: str,
    mode: str,
    origin: Origin,
    window_seconds: int | None = None,
) -> TradingLimit:
    """Say how far something may go at a place of any level; the same kind and action again replaces it.

    Everywhere and on a broker it is the platform operator's, who has every tenant in scope; there a limit on refusals,
    old prices or disagreement is one for each cell or account of all firms.

    `threshold` is a fraction for drawdown, daily loss and concentration, an amount for notional and exposure, a count
    for orders and rejects, and seconds for stale data. Raises Refused naming what cannot be.
    """
    require_reason(origin, "Setting a limit")
    require_tenant(on.tenant_id)
    window = _window(kind, window_seconds)
    _require_threshold(kind, threshold)
    values: dict[str, Any] = dict(zip(VALUES, (threshold, window, mode), strict=True))
    with transaction.atomic():
        present = TradingLimit.objects.filter(scope=on.key, kind=kind, action=action).first()
        if present is None:
            return _made(limit_proposed(on=on, kind=kind, action=action, **values), origin)
        with changing(present, kind="limit.set", origin=origin) as change:
            for name, value in values.items():
                setattr(change.row, name, value)
    return present


def limit_switch(*, limit: TradingLimit, mode: str, origin: Origin) -> TradingLimit:
    """Switch a limit off, on, or to a rehearsal that records what it would have done."""
    require_reason(origin, "Switching a limit")
    require_tenant(limit.tenant_id)
    mode = TradingLimit.Mode(mode)
    with changing(limit, kind=f"limit.{mode}", origin=origin) as change:
        if change.row.mode == mode:
            raise Refused(f"{limit} is {mode} already.", code="wrong_status")
        change.row.mode = mode
    return limit


def limit_proposed(*, on: Place, **values: Any) -> TradingLimit:
    """Return a limit on a place that is not stored: to rehearse it, or to keep it next."""
    return TradingLimit(
        level=on.level,
        tenant_id=on.tenant_id,
        broker=on.broker,
        account_id=on.account_id,
        portfolio_id=on.portfolio_id,
        cell_id=on.cell_id,
        scope=on.key,
        label=on.label,
        **values,
    )


def _made(row: TradingLimit, origin: Origin) -> TradingLimit:
    insert(row)
    event_record(
        kind="limit.set",
        subject=subject_of(row),
        origin=origin,
        tenant_id=row.tenant_id,
        after={name: getattr(row, name) for name in ("scope", "kind", "action", *VALUES)},
    )
    return row


def _window(kind: str, window_seconds: int | None) -> int | None:
    """Return the window of a kind that counts; the others have none."""
    if kind not in TradingLimit.COUNTS:
        return None
    return DAY_SECONDS if window_seconds is None else window_seconds


def _require_threshold(kind: str, threshold: Decimal) -> None:
    if not threshold.is_finite() or threshold <= 0:
        raise Refused(f"threshold is {threshold}; expected above 0.", code="out_of_bounds")
    if kind in TradingLimit.FRACTIONS and threshold >= 1:
        raise Refused(f"threshold is {threshold}; expected a fraction below 1: 0.1 is 10 %.", code="out_of_bounds")
    if kind in TradingLimit.COUNTS and threshold != threshold.to_integral_value():
        raise Refused(f"threshold is {threshold}; expected a whole number.", code="out_of_bounds")
