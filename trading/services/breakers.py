"""What happens when a limit is broken: once for each cause, told, recorded, and acted on unless it is rehearsed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from portfolios.models import TradingRestriction
from portfolios.services import Origin, event_record, restriction_place
from portfolios.services.events import plain
from portfolios.standings import Place
from trading.models import BreakerTrip, TradingLimit
from trading.services.limit_cells import limits_over
from volbal.common import clock

Action = TradingLimit.Action
Mode = TradingLimit.Mode
TASK = "breaker"


@dataclass(frozen=True, slots=True)
class Finding:
    """A limit found broken: what it acts on, why in a sentence with its numbers, and which episode it is."""

    kind: str
    on: Place
    sentence: str
    cause: str
    as_of: dt.datetime
    action: str = Action.HALTED
    measured: float | None = None
    threshold: Decimal | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    limit: TradingLimit | None = None

    @property
    def is_rehearsal(self) -> bool:
        """Whether nothing is to be done about it."""
        return self.limit is not None and self.limit.mode == Mode.REHEARSING

    @property
    def told(self) -> str:
        """Return what everyone who is held up may read: of a figure over all firms only that it was reached."""
        if self.on.tenant_id is not None or self.limit is None:
            return self.sentence
        return f"{self.on.label}: the limit on {self.limit.get_kind_display().lower()} was reached."


def breaker_trip(*, kind: str, on: Place, detail: str, cause: str, action: str = Action.HALTED) -> BreakerTrip | None:
    """Trip what watches `kind` at a place, for whoever finds a fault there; return the trip, None where it is known.

    `cause` names the fault, once. A limit of that kind on the place, or on what is above it, says what to do and
    whether to; without one `action` is taken.
    """
    limits = list(TradingLimit.objects.filter(limits_over(on), kind=kind))
    found = Finding(kind, on, detail, cause, clock.now(), action)
    if not limits:
        return trip(found)
    watching = [one for one in limits if one.mode != Mode.OFF]
    trips = [
        trip(Finding(kind, on, detail, cause, found.as_of, one.action, threshold=one.threshold, limit=one))
        for one in watching
    ]
    return next((one for one in trips if one is not None), None)


def trip(found: Finding) -> BreakerTrip | None:
    """Record a finding and act on it; None, with nothing done, where the same episode was recorded before.

    Of two that find it at once the table takes one.
    """
    try:
        with transaction.atomic():
            return _record(found, None if found.is_rehearsal or found.action == Action.ALERT else _restrict(found))
    except IntegrityError:
        return None


def _restrict(found: Finding) -> TradingRestriction:
    origin = Origin(task=TASK, reason=found.told)
    return restriction_place(on=found.on, state=found.action, origin=origin, cause=found.kind)


def _record(found: Finding, restriction: TradingRestriction | None) -> BreakerTrip:
    row = BreakerTrip(
        tenant_id=found.on.tenant_id,
        limit=found.limit,
        kind=found.kind,
        scope=found.on.key,
        label=found.on.label,
        cell_id=found.on.cell_id,
        portfolio_id=found.on.portfolio_id,
        cause=found.cause[:120],
        sentence=found.sentence[:300],
        measured=None if found.measured is None else Decimal(f"{found.measured:.6f}"),
        threshold=found.threshold,
        figures=plain(found.figures),
        action=found.action,
        is_rehearsal=found.is_rehearsal,
        restriction=restriction,
        as_of=found.as_of,
    )
    row.save(force_insert=True)
    event_record(
        kind="breaker.rehearsed" if found.is_rehearsal else "breaker.tripped",
        subject=found.on.key,
        origin=Origin(task=TASK, reason=found.sentence),
        tenant_id=found.on.tenant_id,
        after={"trip": row.pk, "kind": found.kind, "action": found.action, "measured": row.measured},
        as_of=found.as_of,
    )
    return row
