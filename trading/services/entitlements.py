"""What each dividend and split means for one cell: worked out from its ledger, whatever the order things arrived in.

Nothing is read or written here. The shares of an earlier moment are those held now less what the ledger dates since;
walking forward from there, every action finds the shares that were held at the end of the exchange day before it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from portfolios.models import Cell
from trading.models import ActionApplication, CorporateAction
from volbal.common import numbers
from volbal.common.numbers import ZERO
from volbal.strategy.corporate_actions import (
    anchor_after_dividend,
    anchor_after_split,
    dividend_entitlement,
    split_learned_late,
)

Kind = CorporateAction.Kind


@dataclass(frozen=True, slots=True)
class ShareEntry:
    """Shares that a ledger entry moved on an exchange's day; `action_id` where a split did."""

    day: dt.date
    shares: Decimal
    action_id: int | None = None


@dataclass(frozen=True, slots=True)
class CellFacts:
    """All that decides what a cell is due.

    `day` is the day through which actions are taken now, `through` the one through which they were before. `actions`
    are those to look at, in the order they apply; `entries` the shares moved on and after the first one's date;
    `applications` by action id; `withholding` the rate of each action by its id; `anchor_base` the anchor as it was
    set, before any action moved it.
    """

    cell: Cell
    opened: dt.date
    through: dt.date
    day: dt.date
    actions: tuple[CorporateAction, ...]
    applications: Mapping[int, ActionApplication]
    entries: tuple[ShareEntry, ...]
    withholding: Mapping[int, float]
    anchor_actions: tuple[CorporateAction, ...]
    anchor_base: Decimal | None
    anchor_day: dt.date
    pays_on_ex_date: bool


@dataclass(frozen=True, slots=True)
class Entitled:
    """What an action gives a cell: shares held then, shares gained by a split, money of a dividend to the cent."""

    shares: Decimal = ZERO
    gained: Decimal = ZERO
    gross: Decimal = ZERO
    tax: Decimal = ZERO
    net: Decimal = ZERO
    pay_date: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One action for one cell: what it is entitled to, beside what is booked (None where it was never taken)."""

    action: CorporateAction
    application: ActionApplication | None
    entitled: Entitled
    booked_gain: Decimal
    learned_late: bool
    anchor_before: Decimal | None = None
    anchor_after: Decimal | None = None

    @property
    def is_new(self) -> bool:
        """Whether the cell never took the action."""
        return self.application is None

    @property
    def is_correction(self) -> bool:
        """Whether what is booked is no longer right."""
        one = self.application
        if one is None:
            return False
        return (
            self.booked_gain != self.entitled.gained
            or one.gross != self.entitled.gross
            or (one.gross != 0 and one.pay_date != self.entitled.pay_date)
        )

    @property
    def is_split_change(self) -> bool:
        """Whether a split is taken, changed or taken back, across which no order may stay open."""
        return self.action.kind == Kind.SPLIT and (
            self.application is None or (self.is_correction and self.application.revision != self.action.revision)
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be booked for a cell, in order, and its anchor afterwards."""

    facts: CellFacts
    steps: tuple[Step, ...]
    anchor: Decimal | None

    @property
    def cell(self) -> Cell:
        """Return the cell."""
        return self.facts.cell

    @property
    def moves_anchor(self) -> bool:
        """Whether the anchor is another one afterwards."""
        return bool(self.anchor != self.cell.anchor)

    @property
    def is_split_change(self) -> bool:
        """Whether an order that is open has to end first."""
        return any(step.is_split_change for step in self.steps)

    @property
    def recounts(self) -> bool:
        """Whether a split came so late that average cost and what was filled since the anchor are worked out anew."""
        return any(step.action.kind == Kind.SPLIT and self._is_late(step) for step in self.steps)

    def _is_late(self, step: Step) -> bool:
        since = any(one.action_id is None and one.day >= step.action.ex_date for one in self.facts.entries)
        return step.is_correction or (step.is_new and (since or step.learned_late))


def in_order(actions: Sequence[CorporateAction]) -> tuple[CorporateAction, ...]:
    """Return actions as they apply: by date, splits before dividends of the same."""
    return tuple(sorted(actions, key=lambda one: (one.ex_date, one.kind != Kind.SPLIT, one.number, one.pk)))


def plan_of(facts: CellFacts) -> Plan:
    """Return what a cell is due: every action with its entitlement, and only those steps that book something."""
    steps, anchor = _entitle(facts), _anchors(facts)
    placed = tuple(
        replace(step, anchor_before=anchor.before.get(step.action.pk), anchor_after=anchor.after.get(step.action.pk))
        for step in steps
        if step.is_new or step.is_correction
    )
    return Plan(facts, placed, anchor.last)


def _entitle(facts: CellFacts) -> list[Step]:
    """Walk forward from the first action's date."""
    ids = {action.pk for action in facts.actions}
    gains: dict[int, Decimal] = {}
    dated = []
    held = facts.cell.shares
    for entry in facts.entries:
        if entry.action_id is None:
            dated.append(entry)
        elif entry.action_id not in ids:
            continue  # of an action before the first one here: it was held by then
        else:
            gains[entry.action_id] = gains.get(entry.action_id, ZERO) + entry.shares
        held -= entry.shares
    dated.sort(key=lambda one: one.day)
    steps, place = [], 0
    for action in facts.actions:
        while place < len(dated) and dated[place].day < action.ex_date:
            held += dated[place].shares
            place += 1
        entitled = _entitled(facts, action, held)
        held += entitled.gained
        application = facts.applications.get(action.pk)
        if application is None and not _applies(facts, action):
            continue
        late = action.ex_date <= facts.through
        steps.append(Step(action, application, entitled, gains.get(action.pk, ZERO), late))
    return steps


def _applies(facts: CellFacts, action: CorporateAction) -> bool:
    return not action.is_withdrawn and facts.opened < action.ex_date <= facts.day


def _entitled(facts: CellFacts, action: CorporateAction, held: Decimal) -> Entitled:
    if not _applies(facts, action):
        return Entitled()
    if action.ratio is not None:
        return Entitled(held, numbers.shares(split_learned_late(float(held), float(action.ratio))))
    shares = max(held, ZERO)
    owed = dividend_entitlement(float(shares), float(action.amount or 0), facts.withholding[action.pk])
    gross, tax, net = (numbers.money(one) for one in (owed.gross, owed.tax, owed.net))
    return Entitled(shares, ZERO, gross, tax, net, _pay_date(facts, action))


def _pay_date(facts: CellFacts, action: CorporateAction) -> dt.date | None:
    """Return when it is paid; None while nobody knows, for money that is not there cannot be spent.

    A replay pays on the ex-date then, as a backtest does.
    """
    if action.pay_date is None:
        return action.ex_date if facts.pays_on_ex_date else None
    return max(action.pay_date, action.ex_date)


@dataclass(frozen=True, slots=True)
class _Anchors:
    before: dict[int, Decimal | None]
    after: dict[int, Decimal | None]
    last: Decimal | None


def _anchors(facts: CellFacts) -> _Anchors:
    """Walk the anchor from what it was set at through every action dated after that day."""
    before: dict[int, Decimal | None] = {}
    after: dict[int, Decimal | None] = {}
    anchor = facts.anchor_base
    for action in facts.anchor_actions:
        if anchor is None or not _applies(facts, action) or action.ex_date <= facts.anchor_day:
            continue
        before[action.pk] = anchor
        moved = (
            anchor_after_split(float(anchor), float(action.ratio))
            if action.ratio is not None
            else anchor_after_dividend(float(anchor), float(action.amount or 0))
        )
        anchor = after[action.pk] = None if moved is None else numbers.price(moved)
    return _Anchors(before, after, anchor)
