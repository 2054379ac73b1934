"""Halts and orders to reduce: placed at any level, lifted by a person with a reason, kept as history."""

from __future__ import annotations

from collections.abc import Collection

from django.db import IntegrityError, transaction

from portfolios.models import TradingRestriction
from portfolios.models.restriction import PERSON
from portfolios.services.checks import require_reason
from portfolios.services.events import event_record
from portfolios.services.origin import Origin
from portfolios.standings import Place
from volbal.common import clock
from volbal.common.errors import Refused
from volbal.common.realtime import HaltsChanged, halts_group, publish_on_commit
from volbal.common.tenancy import require_tenant

State = TradingRestriction.State
_DOING = {State.HALTED: "Halting", State.REDUCING: "Reducing"}


def restriction_place(
    *, on: Place, state: str, origin: Origin, cause: str = PERSON, cancels_orders: bool = True
) -> TradingRestriction:
    """Let what is at a place trade no more (`halted`), or only sell towards its guardrails (`reducing`).

    In force at once, also for orders written and not yet sent. The same state for the same cause again changes
    nothing and returns what is there: the first reason stays. Raises Refused without a reason.
    """
    state = State(state)
    require_reason(origin, f"{_DOING[state]} {on.label}")
    if on.tenant_id is not None:
        require_tenant(on.tenant_id)
    row = TradingRestriction(
        level=on.level,
        tenant_id=on.tenant_id,
        broker=on.broker,
        account_id=on.account_id,
        portfolio_id=on.portfolio_id,
        cell_id=on.cell_id,
        scope=on.key,
        label=on.label,
        state=state,
        cause=cause,
        reason=origin.reason,
        cancels_orders=cancels_orders,
        since=clock.now(),
        by_id=origin.actor_id,
        task=origin.task,
    )
    try:
        # Of two that come at once the table takes one; a point to return to keeps the caller's transaction whole.
        with transaction.atomic():
            row.save(force_insert=True)
            event_record(
                kind=f"{on.level}.{state}",
                subject=on.key,
                origin=origin,
                tenant_id=on.tenant_id,
                after={"restriction": row.pk, "state": state, "cause": cause, "cancels_orders": cancels_orders},
            )
            publish_on_commit(halts_group(on.tenant_id), HaltsChanged())
    except IntegrityError:
        return TradingRestriction.objects.get(scope=on.key, state=state, cause=cause, lifted_at__isnull=True)
    return row


def restriction_lift(*, restriction: TradingRestriction, origin: Origin) -> TradingRestriction:
    """Lift one restriction; a person says why. What else holds the same cells goes on holding them.

    Raises Refused without a reason or a person, and where it was lifted before.
    """
    require_reason(origin, "Resuming")
    if origin.actor_id is None:
        raise Refused("Only a person resumes what was stopped; no task does.", code="no_person")
    return _lift(restriction, origin)


def _lift(restriction: TradingRestriction, origin: Origin) -> TradingRestriction:
    if restriction.tenant_id is not None:
        require_tenant(restriction.tenant_id)
    moment = clock.now()
    with transaction.atomic():
        mine = TradingRestriction.objects.filter(pk=restriction.pk, lifted_at__isnull=True)
        if mine.update(lifted_at=moment, lifted_by=origin.actor_id, lifted_reason=origin.reason) != 1:
            raise Refused(f"{restriction.label} is not {restriction.state} by this any more.", code="wrong_status")
        event_record(
            kind=f"{restriction.level}.resumed",
            subject=restriction.scope,
            origin=origin,
            tenant_id=restriction.tenant_id,
            before={"restriction": restriction.pk, "state": restriction.state, "reason": restriction.reason},
        )
        publish_on_commit(halts_group(restriction.tenant_id), HaltsChanged())
    restriction.refresh_from_db()
    return restriction


def place_resume(*, on: Place, origin: Origin, seen: Collection[int] | None = None) -> list[TradingRestriction]:
    """Lift what is in force at one place, and nothing above or below it.

    With `seen`, the ids a person was shown: what was placed since stays in force. Raises Refused where nothing there
    is restricted.
    """
    require_reason(origin, "Resuming")
    rows = TradingRestriction.objects.filter(scope=on.key, lifted_at__isnull=True).order_by("id")
    held = [row for row in rows if seen is None or row.pk in seen]
    if not held:
        raise Refused(f"{on.label} is neither halted nor reducing.", code="wrong_status")
    with transaction.atomic():
        return [restriction_lift(restriction=row, origin=origin) for row in held]


def restrictions_close(*, on: Place, origin: Origin) -> None:
    """Close the restrictions of something that is put away for good: it trades no more in any case."""
    reason = f"put away: {origin.reason or 'archived'}"
    for row in TradingRestriction.objects.filter(scope=on.key, lifted_at__isnull=True):
        _lift(row, Origin(actor_id=origin.actor_id, task=origin.task, reason=reason))
