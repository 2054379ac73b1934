"""What is read before dividends and splits are worked out, for all cells of a tick in a fixed number of queries."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from django.db.models import F, Q, prefetch_related_objects
from django.db.models.functions import Coalesce

from portfolios.models import Cell, LedgerEntry, ParameterVersion, Portfolio
from trading.marketdata.calendars import exchange_calendar
from trading.models import ActionApplication, CorporateAction
from trading.services.entitlements import CellFacts, Plan, ShareEntry, in_order, plan_of

DAY = dt.timedelta(days=1)


def is_behind(cell: Cell, day: dt.date) -> bool:
    """Return whether a cell has not yet looked at all that is known of its instrument's actions through a day."""
    return (
        cell.actions_through is None
        or cell.actions_through < day
        or cell.actions_version != cell.instrument.actions_version
        or cell.actions_recheck_from is not None
    )


def day_opened(cell: Cell) -> dt.date:
    """Return the exchange's day on which a cell was opened: actions up to it are no longer its own."""
    return exchange_calendar(cell.instrument.exchange).day_of(cell.opened_at or cell.created_at)


def plans_due(
    cells: Sequence[Cell], days: Mapping[int, dt.date], *, proposed: CorporateAction | None = None
) -> list[Plan]:
    """Return what is to be looked at for cells that are behind, each through its day in `days`.

    `proposed` stands in the place of the stored action of its id: what a correction would do. Two queries where
    nothing is due, ten at most. Cells carry instrument and portfolio.
    """
    windows = _windows(cells, days, proposed)
    touched = [cell for cell in cells if windows[cell.pk]]
    if not touched:
        return []
    prefetch_related_objects(touched, "parameters")
    wanted = {action.pk for cell in touched for action in windows[cell.pk]}
    applications = _applications(touched, wanted)
    entries = _entries(touched, min(_first_date(windows[cell.pk]) for cell in touched))
    moving = _anchor_actions(touched, proposed)
    versions = _versions(touched, windows)
    return [
        plan_of(
            _facts(
                cell,
                days[cell.pk],
                windows[cell.pk],
                applications[cell.pk],
                entries[cell.pk],
                moving[cell.instrument_id],
                versions[cell.pk],
            )
        )
        for cell in touched
    ]


def _windows(
    cells: Sequence[Cell], days: Mapping[int, dt.date], proposed: CorporateAction | None
) -> dict[int, tuple[CorporateAction, ...]]:
    """Return the actions that each cell looks at: those since the day it came to, and all that changed since then."""
    if not cells:
        return {}
    changed = _changed(cells, proposed)
    starts = {cell.pk: _start(cell, changed[cell.instrument_id]) for cell in cells}
    found: dict[int, dict[int, CorporateAction]] = defaultdict(dict)
    rows = CorporateAction.objects.filter(
        instrument__among={cell.instrument_id for cell in cells},
        ex_date__gt=min(starts.values()),
        ex_date__lte=max(days[cell.pk] for cell in cells),
    )
    for action in rows:
        found[action.instrument_id][action.pk] = action
    for instrument_id, actions in changed.items():
        found[instrument_id] |= {action.pk: action for action in actions}
    return {
        cell.pk: in_order(
            [
                action
                for action in found[cell.instrument_id].values()
                if starts[cell.pk] < action.ex_date <= days[cell.pk] or _is_unseen(cell, action, proposed)
            ]
        )
        for cell in cells
    }


def _changed(cells: Iterable[Cell], proposed: CorporateAction | None) -> dict[int, list[CorporateAction]]:
    """Return the actions that changed since some cell of their instrument looked, withdrawn ones too."""
    found: dict[int, list[CorporateAction]] = defaultdict(list)
    behind = [cell for cell in cells if cell.actions_version != cell.instrument.actions_version]
    if behind:
        rows = CorporateAction.with_withdrawn.filter(
            instrument__among={cell.instrument_id for cell in behind},
            instrument_version__gt=min(cell.actions_version for cell in behind),
        )
        for action in rows:
            if proposed is None or action.pk != proposed.pk:
                found[action.instrument_id].append(action)
    if proposed is not None:
        found[proposed.instrument_id].append(proposed)
    return found


def _is_unseen(cell: Cell, action: CorporateAction, proposed: CorporateAction | None) -> bool:
    return action is proposed or action.instrument_version > cell.actions_version


def _start(cell: Cell, changed: Collection[CorporateAction]) -> dt.date:
    """Return the day after which a cell's actions are looked at again."""
    days = [day for day in (cell.actions_through, cell.actions_recheck_from) if day is not None]
    opened = day_opened(cell)
    if not days:
        return opened
    days += [_earliest(action) - DAY for action in changed if action.instrument_version > cell.actions_version]
    return max(min(days), opened)


def _earliest(action: CorporateAction) -> dt.date:
    return min(action.ex_date, action.earliest_ex_date or action.ex_date)


def _first_date(actions: Iterable[CorporateAction]) -> dt.date:
    return min(_earliest(action) for action in actions)


def _applications(cells: Sequence[Cell], wanted: Collection[int]) -> dict[int, list[ActionApplication]]:
    found: dict[int, list[ActionApplication]] = defaultdict(list)
    own = Q(action__in=wanted) | Q(anchor_set_at=F("cell__anchor_set_at"))
    for application in ActionApplication.objects.filter(own, cell__in=cells):
        found[application.cell_id].append(application)
    return found


def _entries(cells: Sequence[Cell], first: dt.date) -> dict[int, list[ShareEntry]]:
    """Return the shares that each cell's ledger moved from about a day on."""
    zones = {cell.pk: exchange_calendar(cell.instrument.exchange) for cell in cells}
    found: dict[int, list[ShareEntry]] = defaultdict(list)
    since = dt.datetime.combine(first - DAY, dt.time(), dt.UTC)
    rows = LedgerEntry.objects.filter(cell__in=cells, as_of__gte=since).exclude(shares=0)
    columns = rows.values_list("cell_id", "as_of", "shares", "kind", Coalesce("reverses__key", "key"))
    for cell_id, as_of, shares, kind, key in columns:
        # The key of a split's entry names its action; that of an opposite entry names the one it takes back.
        action_id = int(key.split(":")[1]) if kind == LedgerEntry.Kind.SPLIT else None
        found[cell_id].append(ShareEntry(zones[cell_id].day_of(as_of), shares, action_id))
    return found


def _anchor_actions(cells: Sequence[Cell], proposed: CorporateAction | None) -> dict[int, tuple[CorporateAction, ...]]:
    """Return the actions since the oldest anchor was set, by instrument."""
    found: dict[int, list[CorporateAction]] = defaultdict(list)
    rows = CorporateAction.objects.filter(
        instrument__among={cell.instrument_id for cell in cells}, ex_date__gt=min(_anchor_day(cell) for cell in cells)
    )
    for action in rows:
        if proposed is None or action.pk != proposed.pk:
            found[action.instrument_id].append(action)
    if proposed is not None:
        found[proposed.instrument_id].append(proposed)
    return defaultdict(tuple, {key: in_order(actions) for key, actions in found.items()})


def _anchor_day(cell: Cell) -> dt.date:
    if cell.anchor_set_at is None:
        return day_opened(cell)
    return exchange_calendar(cell.instrument.exchange).day_of(cell.anchor_set_at)


def _versions(
    cells: Sequence[Cell], windows: Mapping[int, tuple[CorporateAction, ...]]
) -> dict[int, list[tuple[dt.date, float]]]:
    """Return the withholding rates of cells that learn something late, each from its day on, oldest first."""
    found: dict[int, list[tuple[dt.date, float]]] = defaultdict(list)
    late = [cell for cell in cells if any(_is_late(cell, action) for action in windows[cell.pk])]
    if not late:
        return found
    zones = {cell.pk: exchange_calendar(cell.instrument.exchange) for cell in late}
    rows = ParameterVersion.objects.filter(cell__in=late).order_by("cell_id", "number")
    for cell_id, made, rate in rows.values_list("cell_id", "created_at", "withholding_rate"):
        found[cell_id].append((zones[cell_id].day_of(made), float(rate)))
    return found


def _is_late(cell: Cell, action: CorporateAction) -> bool:
    return cell.actions_through is not None and action.ex_date <= cell.actions_through


def _facts(
    cell: Cell,
    day: dt.date,
    actions: tuple[CorporateAction, ...],
    applications: Sequence[ActionApplication],
    entries: Sequence[ShareEntry],
    moving: tuple[CorporateAction, ...],
    versions: Sequence[tuple[dt.date, float]],
) -> CellFacts:
    own = {one.action_id: one for one in applications}
    return CellFacts(
        cell=cell,
        opened=day_opened(cell),
        through=cell.actions_through or day_opened(cell),
        day=day,
        actions=actions,
        applications=own,
        entries=tuple(entries),
        withholding={action.pk: _rate(cell, action, own.get(action.pk), versions) for action in actions},
        anchor_actions=moving,
        anchor_base=_anchor_base(cell, applications),
        anchor_day=_anchor_day(cell),
        pays_on_ex_date=cell.portfolio.mode == Portfolio.Mode.REPLAY,
    )


def _rate(
    cell: Cell,
    action: CorporateAction,
    application: ActionApplication | None,
    versions: Sequence[tuple[dt.date, float]],
) -> float:
    """Return the rate of the parameters that were in force: those a cell had when it took it, else on its date."""
    if application is not None and application.withholding_rate is not None:
        return float(application.withholding_rate)
    if versions and cell.portfolio.mode != Portfolio.Mode.REPLAY and _is_late(cell, action):
        known = [rate for made, rate in versions if made <= action.ex_date]
        return known[-1] if known else versions[0][1]
    return 0.0 if cell.parameters is None else float(cell.parameters.withholding_rate)


def _anchor_base(cell: Cell, applications: Sequence[ActionApplication]) -> Decimal | None:
    """Return the anchor as it was set, before actions moved it."""
    known: Decimal | None = cell.anchor
    if cell.anchor_set_at is not None:
        for one in applications:
            if one.anchor_set_at == cell.anchor_set_at and one.anchor_base is not None:
                known = one.anchor_base
    return known
