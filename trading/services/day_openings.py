"""How the value of what a limit is about stands today: against its peak, and against the end of the day before.

What finished days came to is kept in one row for each (`DayOpening`), made anew from the marks when the cells change
and carried on at the first look of a day; every other look of the day adds what was moved since to that row.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import OuterRef, Subquery

from portfolios.models import Cell, LedgerEntry, Portfolio
from trading.marketdata.calendars import exchange_calendar
from trading.models import DailyMark, DayOpening, Tick
from trading.services.equity import MOVED, Equity, equity_of, growth_of
from trading.services.limit_cells import LimitedCell
from volbal.common import numbers
from volbal.common.bulk import rows_write

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Course:
    """How a value went: now, and as it was when the day began with what was moved since, in currency."""

    value: float
    before: float
    index: float
    peak: float
    peak_day: dt.date | None

    @property
    def drawdown(self) -> float:
        """Return how far it stands below its peak, a fraction of at least 0."""
        return 1.0 - self.index / max(self.peak, self.index)

    @property
    def loss(self) -> float:
        """Return the day's loss as a fraction of what there was, flows included; negative for a gain."""
        return 1.0 - self.value / self.before if self.before > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """What a limit is about: the scope, its cells with a mark, and from which baseline it counts, 0 for the start."""

    scope: str
    tenant_id: int | None
    cells: tuple[LimitedCell, ...]
    since: int = 0
    since_day: dt.date | None = None

    @property
    def key(self) -> Key:
        """Return what its row is found by."""
        return self.scope, self.since

    @property
    def value(self) -> float:
        """Return what its cells are worth now."""
        return sum(cell.value for cell in self.cells)

    @property
    def members(self) -> str:
        """Return the name of this very set of cells."""
        return hashlib.sha256(",".join(str(cell.cell_id) for cell in self.cells).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Moved:
    """An entry of the ledger that moved value in or out, in currency at its price or the newest close."""

    id: int
    cell_id: int
    as_of: dt.datetime
    worth: float


@dataclass(slots=True)
class _Looked:
    """What one look has loaded."""

    day: dt.date
    entry_id: int
    cells: Mapping[int, LimitedCell]
    moved: dict[int, list[_Moved]] = field(default_factory=dict)

    def moved_in(self, group: Group, after: int) -> list[_Moved]:
        """Return what was moved in the cells of a group after a ledger entry."""
        return [one for cell in group.cells for one in self.moved.get(cell.cell_id, ()) if one.id > after]


def newest_entry_id() -> int:
    """Return the id of the newest ledger entry in scope; ask before the cells are read."""
    return LedgerEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0


def courses(groups: Iterable[Group], day: dt.date, entry_id: int) -> dict[Key, Course]:
    """Return how each group went, by its key, in a fixed number of queries; one without a marked cell has none.

    `entry_id` is the newest ledger entry before the cells were read. Where value was moved while they were read
    nothing is returned: the next look sees all of it.
    """
    asked = {group.key: group for group in groups if group.cells}
    if not asked:
        return {}
    looked = _Looked(day, entry_id, {cell.cell_id: cell for group in asked.values() for cell in group.cells})
    rows = {
        (row.scope, row.since): row
        for row in DayOpening.objects.filter(scope__in={one.scope for one in asked.values()})
    }
    kept = {key: rows[key] for key in asked if key in rows and rows[key].members == asked[key].members}
    looked.moved = _moved_after(looked, min((row.entry_id for row in kept.values()), default=entry_id))
    if any(one.id > entry_id for found in looked.moved.values() for one in found):
        return {}
    changed = _carried_on([(asked[key], row) for key, row in kept.items() if row.day < day], looked)
    changed += _made([group for key, group in asked.items() if key not in kept], looked)
    _keep(changed)
    now = kept | {(row.scope, row.since): row for row in changed}
    return {key: _course(group, now[key], looked) for key, group in asked.items()}


def _course(group: Group, row: DayOpening, looked: _Looked) -> Course:
    moved = sum(one.worth for one in looked.moved_in(group, row.entry_id))
    before, value = float(row.value) + float(row.moved) + moved, group.value
    index = row.index * value / before if before > 0.0 else row.index
    peak, peak_day = (index, looked.day) if index > row.peak else (row.peak, row.peak_day)
    return Course(value, before, index, peak, peak_day)


def _moved_after(looked: _Looked, entry_id: int) -> dict[int, list[_Moved]]:
    rows = LedgerEntry.objects.filter(id__gt=entry_id, cell__among=looked.cells, kind__in=MOVED).order_by("id")
    found: dict[int, list[_Moved]] = {}
    for pk, cell_id, as_of, cash, receivable, shares, price in rows.values_list(
        "id", "cell_id", "as_of", "cash", "receivable", "shares", "price"
    ):
        at = looked.cells[cell_id].close if price is None else price
        worth = float(cash) + float(receivable) + float(shares) * float(at or 0)
        found.setdefault(cell_id, []).append(_Moved(pk, cell_id, as_of, worth))
    return found


def _carried_on(stale: Sequence[tuple[Group, DayOpening]], looked: _Looked) -> list[DayOpening]:
    """Bring rows of an earlier day to this one: what that day ended at, and what was moved since its last tick."""
    if not stale:
        return []
    ends, ticked = _ends(looked, [group for group, _ in stale]), _ticked(looked, [group for group, _ in stale])
    changed = []
    for group, row in stale:
        days = [ends[cell.cell_id][0] for cell in group.cells if cell.cell_id in ends]
        if not days or max(days) < row.day:
            continue
        value = sum(ends[cell.cell_id][1] for cell in group.cells if cell.cell_id in ends)
        moved = looked.moved_in(group, row.entry_id)
        late = sum(
            one.worth for one in moved if one.as_of > ticked.get(looked.cells[one.cell_id].portfolio_id, one.as_of)
        )
        before = float(row.value) + float(row.moved) + sum(one.worth for one in moved) - late
        row.index = row.index * value / before if before > 0.0 else row.index
        if row.index > row.peak:
            row.peak, row.peak_day = row.index, max(days)
        row.day, row.value, row.moved = looked.day, numbers.money(value), numbers.money(late)
        row.entry_id = looked.entry_id
        changed.append(row)
    return changed


def _ends(looked: _Looked, groups: Sequence[Group]) -> dict[int, tuple[dt.date, float]]:
    """Return the last mark of each cell before today, by cell id: its day and value."""
    before = DailyMark.objects.filter(cell=OuterRef("pk"), day__lt=looked.day).order_by("-day")
    rows = Cell.objects.filter(pk__among={cell.cell_id for group in groups for cell in group.cells}).annotate(
        end_day=Subquery(before.values("day")[:1]), end_value=Subquery(before.values("value")[:1])
    )
    found = rows.order_by().values_list("pk", "end_day", "end_value")
    return {pk: (day, float(value)) for pk, day, value in found if day is not None}


def _ticked(looked: _Looked, groups: Sequence[Group]) -> dict[int, dt.datetime]:
    """Return the last tick of each portfolio before today, by its id: marks know of what was moved until then."""
    cells = [cell for group in groups for cell in group.cells]
    midnight = dt.datetime.combine(looked.day, dt.time(), tzinfo=exchange_calendar(cells[0].exchange).zone)
    before = Tick.objects.filter(portfolio=OuterRef("pk"), as_of__lt=midnight).order_by("-as_of")
    rows = Portfolio.objects.filter(pk__in={cell.portfolio_id for cell in cells})
    found = rows.annotate(last=Subquery(before.values("as_of")[:1])).order_by().values_list("pk", "last")
    return {pk: last for pk, last in found if last is not None}


def _made(groups: Sequence[Group], looked: _Looked) -> list[DayOpening]:
    """Make rows from all marks of finished days there are."""
    if not groups:
        return []
    cells = {cell.cell_id: cell for group in groups for cell in group.cells}
    equity = equity_of(
        {cell_id: cell.exchange for cell_id, cell in cells.items()}, looked.day - dt.timedelta(days=1), look_back=None
    )
    made = []
    for group in groups:
        row = DayOpening(
            tenant_id=group.tenant_id, scope=group.scope, since=group.since, members=group.members, day=looked.day,
            entry_id=looked.entry_id, value=numbers.ZERO,
        )  # fmt: skip
        finished = equity.rows(cell.cell_id for cell in group.cells)
        growth = growth_of(equity, finished, since=group.since_day) if finished else None
        if growth is not None and len(growth.index):
            row.value, row.index = numbers.money(float(growth.value[-1])), float(growth.index[-1])
            row.peak, row.peak_day = max(1.0, float(growth.index.max())), growth.peak_day
        if row.value or not group.since:
            row.moved = numbers.money(sum(_joined(cell, equity) for cell in group.cells))
        else:
            row.value = numbers.money(group.value)
        made.append(row)
    return made


def _joined(cell: LimitedCell, equity: Equity) -> float:
    """Return what came into a cell since the last finished day; all of it where it was never marked before."""
    if cell.cell_id not in equity.cells and cell.cell_id not in equity.opened:
        return cell.value
    return sum(
        cash + shares * float((cell.close if price is None else price) or 0)
        for cash, shares, price in equity.later.get(cell.cell_id, ())
    )


def _keep(changed: Sequence[DayOpening]) -> None:
    """Write rows in one statement; of two that look at once either's are right."""
    names = ("tenant_id", "scope", "since", "members", "day", "value", "moved", "entry_id", "index", "peak", "peak_day")
    columns = {name: [getattr(row, name) for row in changed] for name in names}
    rows_write(DayOpening, columns, unique=["scope", "since"], update=list(names[3:]))
