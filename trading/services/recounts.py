"""Average cost and what was filled since the anchor, worked out anew where a split was learned or corrected late."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from portfolios.models import LedgerEntry
from trading.marketdata.calendars import exchange_calendar
from trading.models import CorporateAction, Fill, Order
from trading.services.entitlements import Plan
from volbal.common import numbers
from volbal.common.numbers import ZERO
from volbal.strategy.fills import cost_after_buy

Kind = LedgerEntry.Kind
# An entry as the cost sees it: its exchange's day, kind, key, shares, cash and price.
Row = tuple[dt.date, str, str, float, float, float]


def costs_and_fills(plans: Sequence[Plan]) -> dict[int, dict[str, Decimal]]:
    """Return the columns to write for each plan's cell, by its id, in three queries; none where there is no plan."""
    if not plans:
        return {}
    cells = [plan.cell for plan in plans]
    entries, fills = _entries(plans), _fills(plans)
    splits: dict[int, list[CorporateAction]] = defaultdict(list)
    rows = CorporateAction.objects.filter(
        instrument__in={cell.instrument_id for cell in cells}, kind=CorporateAction.Kind.SPLIT
    )
    for action in rows.order_by("ex_date", "id"):
        splits[action.instrument_id].append(action)
    found = {}
    for plan in plans:
        own = [one for one in splits[plan.cell.instrument_id] if plan.facts.opened < one.ex_date <= plan.facts.day]
        bought, sold = (_since_anchor(fills[plan.cell.pk], side, own) for side in Order.Side.values)
        found[plan.cell.pk] = {
            "average_cost": numbers.cost(_average_cost(entries[plan.cell.pk], own)),
            "bought_since_anchor": bought,
            "sold_since_anchor": sold,
        }
    return found


def _entries(plans: Sequence[Plan]) -> dict[int, list[Row]]:
    zones = {plan.cell.pk: exchange_calendar(plan.cell.instrument.exchange) for plan in plans}
    found: dict[int, list[Row]] = defaultdict(list)
    rows = LedgerEntry.objects.filter(cell__in=list(zones)).exclude(kind=Kind.SPLIT).order_by("as_of", "id")
    columns = rows.values_list("cell_id", "as_of", "kind", "key", "shares", "cash", "price")
    for cell_id, as_of, kind, key, shares, cash, price in columns:
        row = (zones[cell_id].day_of(as_of), kind, key, float(shares), float(cash), float(price or 0))
        found[cell_id].append(row)
    return found


def _average_cost(rows: Iterable[Row], splits: Sequence[CorporateAction]) -> float:
    """Walk the ledger in the order of its dates, as if each split had come on time (strategy 11)."""
    entries = list(rows)
    fees = {key.removesuffix(":commission"): -cash for _, kind, key, _, cash, _ in entries if kind == Kind.COMMISSION}
    cost, held, place = 0.0, 0.0, 0
    for day, kind, key, shares, cash, price in entries:
        while place < len(splits) and splits[place].ex_date <= day:
            ratio = float(splits[place].ratio or 1)
            cost, held, place = cost / ratio, held * ratio, place + 1
        if kind == Kind.OPENING:
            cost = price
        elif shares > 0.0 and kind == Kind.BUY:
            cost = float(cost_after_buy(cost, max(held, 0.0), shares, fees.get(key, 0.0) - cash))
        elif shares > 0.0 and kind == Kind.DEPOSIT:
            cost = float(cost_after_buy(cost, max(held, 0.0), shares, price * shares))
        held += shares
    for split in splits[place:]:
        cost /= float(split.ratio or 1)
    return cost


def _fills(plans: Sequence[Plan]) -> dict[int, list[tuple[str, dt.date, Decimal]]]:
    """Return the fills since each cell's anchor was set: side, exchange's day and shares."""
    cells = {plan.cell.pk: plan.cell for plan in plans}
    found: dict[int, list[tuple[str, dt.date, Decimal]]] = defaultdict(list)
    rows = Fill.objects.filter(order__cell__in=cells)
    for cell_id, side, as_of, quantity in rows.values_list("order__cell_id", "order__side", "as_of", "quantity"):
        cell = cells[cell_id]
        if cell.anchor_set_at is None or as_of > cell.anchor_set_at:
            found[cell_id].append((side, exchange_calendar(cell.instrument.exchange).day_of(as_of), quantity))
    return found


def _since_anchor(
    fills: Iterable[tuple[str, dt.date, Decimal]], side: str, splits: Sequence[CorporateAction]
) -> Decimal:
    """Return what was filled on a side, in today's shares, rounded at each split as one that comes on time does."""
    own = sorted((day, quantity) for fill_side, day, quantity in fills if fill_side == side)
    total, place = ZERO, 0
    for split in splits:
        while place < len(own) and own[place][0] < split.ex_date:
            total, place = total + own[place][1], place + 1
        total = numbers.shares(float(total) * float(split.ratio or 1))
    return sum((quantity for _, quantity in own[place:]), total)
