"""Refusals that go on: one row for as long as a gate says the same, instead of one at each tick (decision 13)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db.models import F, OuterRef, Subquery

from portfolios.models import Cell
from trading.models import Evaluation
from trading.services.decisions import CellDecision
from volbal.common import numbers
from volbal.strategy import indices as at
from volbal.strategy.codes import GATE_REASONS, Action, Reason

# While its price moves a refusal is written anew this often, so that charts and values know the price of each minute.
LONGEST_AT_MOVING_PRICE = dt.timedelta(minutes=1)
_TRIGGERS = ("trigger_up", "trigger_down")
_HOLDING = ("anchor", "cash", "shares", "receivable", "parameters_id")


def refusals_prolong(*, decided: Sequence[CellDecision], as_of: dt.datetime) -> frozenset[int]:
    """Let the newest rows of cells whose gate goes on saying the same stand for this moment too; return their cells.

    The same are reason (of a halt also by what), holding, anchor, parameters, triggers in force and orders of the day;
    the price too, unless the row is younger than a minute. What the rule itself was asked is always a row of its own.
    Two statements where a gate refused anything, none otherwise. The caller holds the cells.
    """
    refused = {
        one.cell.id: one
        for one in decided
        if one.decision.action == Action.SKIP and one.decision.reason in GATE_REASONS and one.plan is None
    }
    if not refused:
        return frozenset()
    newest = Evaluation.objects.filter(cell=OuterRef("pk")).order_by("-as_of").values("pk")[:1]
    ids = Cell.objects.filter(pk__among=refused).order_by().values_list(Subquery(newest))
    rows = Evaluation.objects.filter(pk__in=ids, action=Evaluation.Action.SKIP, reason__in=GATE_REASONS)
    same = [row for row in rows.order_by() if _goes_on(row, refused[row.cell_id], as_of)]
    if same:
        prolonged = Evaluation.objects.filter(pk__among=[row.pk for row in same])
        prolonged.update(until=as_of, looks=F("looks") + 1)
    return frozenset(row.cell_id for row in same)


def _goes_on(row: Evaluation, one: CellDecision, as_of: dt.datetime) -> bool:
    if row.reason != one.decision.reason or row.source != one.price.source or row.as_of >= as_of:
        return False
    if row.reason == Reason.HALTED and row.sentence != one.decision.sentence:
        return False  # by a person before, by the account's disagreement now, or the other way round
    if row.price != numbers.price(one.price.price) and as_of - row.as_of >= LONGEST_AT_MOVING_PRICE:
        return False
    now: list[Any] = [getattr(one.cell, name) for name in _HOLDING]
    triggers = [float(one.parameters[at.TRIGGER_UP]), float(one.parameters[at.TRIGGER_DOWN])]
    return (
        now == [getattr(row, name) for name in _HOLDING]
        and triggers == [getattr(row, name) for name in _TRIGGERS]
        and row.orders_today == int(one.numbers[at.ORDERS])
    )
