"""Announcing, correcting and withdrawing dividends and splits. What was known before stays in the revisions."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max

from portfolios.models import Instrument
from portfolios.services.changes import lock
from portfolios.services.checks import require_reason
from portfolios.services.events import event_record
from portfolios.services.origin import Origin
from trading.models import ActionRevision, CorporateAction
from volbal.common import numbers
from volbal.common.errors import Conflict, Refused

Kind = CorporateAction.Kind
RATIO_STEP = Decimal("0.0000000001")
_TERMS = ("ex_date", "pay_date", "amount", "ratio", "is_withdrawn", "source")


@dataclass(frozen=True, slots=True)
class Correction:
    """What an action is to become; what is None stays as it is. `no_pay_date` takes a pay date away."""

    ex_date: dt.date | None = None
    pay_date: dt.date | None = None
    amount: Decimal | None = None
    ratio: Decimal | None = None
    source: str | None = None
    no_pay_date: bool = False
    is_withdrawn: bool = False

    def changes_of(self, action: CorporateAction) -> dict[str, Any]:
        """Return what would differ, by column. Raises Refused naming what cannot be."""
        given = {name: getattr(self, name) for name in _TERMS}
        wanted = {name: value for name, value in given.items() if value is not None and value is not False}
        if self.no_pay_date:
            wanted["pay_date"] = None
        for name, value in wanted.items():
            if name in ("amount", "ratio"):
                wanted[name] = checked_terms(action.kind, name, value)
        _require_dates(action.kind, {**{name: getattr(action, name) for name in _TERMS}, **wanted})
        return {name: value for name, value in wanted.items() if getattr(action, name) != value}


def checked_terms(kind: str, name: str, value: Decimal) -> Decimal:
    """Return an amount or a ratio as it is kept. Raises Refused where it is not above 0 or not of this kind."""
    if (name == "ratio") != (kind == Kind.SPLIT):
        raise Refused(f"A {kind} has no {name}.", code="wrong_terms")
    kept = numbers.price(value) if name == "amount" else value.quantize(RATIO_STEP)
    if not kept > 0:
        raise Refused(f"{name} is {value}; expected a number above 0.", code="out_of_bounds")
    return kept


def _require_dates(kind: str, terms: Mapping[str, Any]) -> None:
    if kind == Kind.DIVIDEND and terms["pay_date"] is not None and terms["pay_date"] < terms["ex_date"]:
        raise Refused(
            f"pay_date {terms['pay_date']} is before ex_date {terms['ex_date']}; expected a day on or after it.",
            code="pay_date_before_ex_date",
        )


def actions_announce(*, instrument: Instrument, actions: Sequence[CorporateAction], origin: Origin) -> int:
    """Keep actions that were not known, numbered among those of their kind and date. Return how many they are.

    Cells take them at their next tick, late ones too.
    """
    with transaction.atomic():
        version = _next_version(instrument)
        for action in actions:
            action.instrument_version = version
        CorporateAction.objects.bulk_create(actions)
        ActionRevision.objects.bulk_create([_revision(action, origin) for action in actions])
        event_record(
            kind="actions.announced",
            subject=f"instrument:{instrument.pk}",
            origin=origin,
            tenant_id=None,
            after={"new": len(actions), "actions": [f"{one} {one.terms}" for one in actions[:50]]},
        )
    return len(actions)


def action_correct(
    *, action: CorporateAction, correction: Correction, origin: Origin, expected_revision: int | None = None
) -> CorporateAction:
    """Make a new revision of an action; every cell that took it books the opposite and what is right.

    Each cell does so at its next tick or in `cells_settle`, once. Raises Refused without a reason, for a withdrawn
    action and where nothing differs, Conflict where it has another revision than `expected_revision` by now.
    """
    require_reason(origin, "A correction")
    with transaction.atomic():
        version = _next_version(Instrument(pk=action.instrument_id))
        row = CorporateAction.with_withdrawn.select_for_update(no_key=True).get(pk=action.pk)
        if expected_revision is not None and row.revision != expected_revision:
            raise Conflict(f"{row} was corrected by someone else first.", hint="Look again at what it is now.")
        changes = required_changes(row, correction)
        before = {name: getattr(row, name) for name in changes}
        if not ActionRevision.objects.filter(action=row).exists():
            ActionRevision.objects.create(**_described(row))
        revise(row, changes)
        row.number = _free_number(row) if "ex_date" in changes else row.number
        row.instrument_version = version
        row.save()
        _revision(row, origin).save()
        event_record(
            kind="action.withdrawn" if row.is_withdrawn else "action.corrected",
            subject=f"action:{row.pk}",
            origin=origin,
            tenant_id=None,
            before=before,
            after={**changes, "revision": row.revision, "instrument": row.instrument_id},
        )
    return row


def proposed_action(action: CorporateAction, correction: Correction) -> CorporateAction:
    """Return an action as it would be, unsaved. Raises Refused as `action_correct` does."""
    changes = required_changes(action, correction)
    row = copy.copy(action)
    revise(row, changes)
    row.instrument_version = 2**31 - 1  # newer than whatever a cell has seen
    return row


def required_changes(action: CorporateAction, correction: Correction) -> dict[str, Any]:
    """Return what differs. Raises Refused for a withdrawn action and where nothing does."""
    if action.is_withdrawn:
        raise Refused(f"{action} is withdrawn; announce it anew.", code="withdrawn")
    changes = correction.changes_of(action)
    if not changes:
        raise Refused(f"{action} is that already; nothing was changed.", code="nothing_changed")
    return changes


def revise(row: CorporateAction, changes: Mapping[str, Any]) -> None:
    """Put changes into a row."""
    if "ex_date" in changes:
        dates = (row.earliest_ex_date, row.ex_date, changes["ex_date"])
        row.earliest_ex_date = min(day for day in dates if day is not None)
    for name, value in changes.items():
        setattr(row, name, value)
    row.revision += 1


def _next_version(instrument: Instrument) -> int:
    """Take the lock under which an instrument's actions change, and count one more change.

    Under it numbers are committed in their order, so that a cell that has seen one has seen all before it.
    """
    row = lock(instrument)
    row.actions_version += 1
    row.save(update_fields=["actions_version"])
    return row.actions_version


def _free_number(row: CorporateAction) -> int:
    taken = CorporateAction.objects.filter(instrument_id=row.instrument_id, kind=row.kind, ex_date=row.ex_date).exclude(
        pk=row.pk
    )
    return int(taken.aggregate(most=Max("number"))["most"] or 0) + 1


def _described(action: CorporateAction) -> dict[str, Any]:
    return {"action": action, "number": action.revision, **{name: getattr(action, name) for name in _TERMS}}


def _revision(action: CorporateAction, origin: Origin) -> ActionRevision:
    return ActionRevision(**_described(action), reason=origin.reason, actor_id=origin.actor_id, task=origin.task)


def known_actions(instrument: Instrument) -> Iterable[CorporateAction]:
    """Return the actions in force of an instrument, in the order they apply."""
    return CorporateAction.objects.filter(instrument=instrument).order_by("ex_date", "-kind", "number")
