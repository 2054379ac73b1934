"""What correcting a dividend or a split would do to each cell, before anyone confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from portfolios.models import Cell
from trading.models import CorporateAction
from trading.services.action_changes import Correction, proposed_action
from trading.services.action_facts import plans_due
from trading.services.entitlements import Plan
from volbal.common.numbers import ZERO


@dataclass(frozen=True, slots=True)
class Effect:
    """What one cell would book: signed money and shares, and the anchor it would have."""

    cell: Cell
    money: Decimal
    shares: Decimal
    anchor: Decimal | None

    def __str__(self) -> str:
        parts = []
        if self.money:
            parts.append(f"{self.money:+,.2f} {self.cell.instrument.currency} net")
        if self.shares:
            parts.append(f"{self.shares:+,f}".rstrip("0").rstrip(".") + " shares")
        if self.anchor != self.cell.anchor:
            parts.append(f"anchor {_price(self.cell.anchor)} to {_price(self.anchor)}")
        where = f"{self.cell} in {self.cell.portfolio.name}, {self.cell.tenant.name}"
        return f"{where}: {', '.join(parts) if parts else 'nothing is booked'}"


def correction_effects(action: CorporateAction, correction: Correction) -> list[Effect]:
    """Return what a correction would book for every cell in scope that has taken the action or would take it now.

    Raises Refused where the correction cannot be. Archived cells keep their books and are left out.
    """
    proposed = proposed_action(action, correction)
    cells = list(
        Cell.objects.filter(instrument=action.instrument_id, actions_through__isnull=False)
        .exclude(status=Cell.Status.ARCHIVED)
        .exclude(portfolio__is_archived=True)
        .select_related("instrument", "parameters", "portfolio__account", "tenant")
        .order_by("tenant__name", "portfolio__name", "id")
    )
    days = {cell.pk: cell.actions_through for cell in cells if cell.actions_through is not None}
    return [_effect(plan) for plan in plans_due(cells, days, proposed=proposed) if plan.steps or plan.moves_anchor]


def _effect(plan: Plan) -> Effect:
    money, shares = ZERO, ZERO
    for step in plan.steps:
        booked = ZERO if step.application is None else step.application.net
        money += step.entitled.net - booked
        shares += step.entitled.gained - step.booked_gain
    return Effect(plan.cell, money, shares, plan.anchor)


def _price(anchor: Decimal | None) -> str:
    return "unset" if anchor is None else f"{anchor:,f}".rstrip("0").rstrip(".")
