"""All that a cell was asked, from the table and from the files that old HOLD rows have left for, as one."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from portfolios.models import Cell, ParameterVersion
from trading.models import Evaluation, EvaluationArchive
from trading.services.archive_files import COLUMNS, parquet_rows
from trading.services.archives import ArchiveError

OF_PARAMETERS = "parameters__"
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class History:
    """A cell's evaluations, of some actions only where any are named, whether in the table or archived."""

    cell: Cell
    actions: tuple[str, ...] = ()

    def newest(
        self, columns: Sequence[str], *, count: int | None = None, before: int | None = None
    ) -> Iterator[Values]:
        """Yield columns by falling id, those below the id `before` where it is given, at most `count`.

        A file is opened only once a row of it is wanted.
        """
        return (row[1:] for row in islice(self._rows(columns, count, before, rising=False), count))

    def oldest(self, columns: Sequence[str]) -> Iterator[Values]:
        """Yield columns by rising id."""
        return (row[1:] for row in self._rows(columns, None, None, rising=True))

    def evaluations(self, *, count: int, before: int | None = None) -> list[Evaluation]:
        """Return the newest rows below an id as evaluations, with the version of the parameters they name."""
        versions = {version.pk: version for version in ParameterVersion.objects.filter(cell=self.cell)}
        found = [
            Evaluation(**dict(zip(COLUMNS, row, strict=True)))
            for row in self.newest(COLUMNS, count=count, before=before)
        ]
        for evaluation in found:
            evaluation.parameters = versions[evaluation.parameters_id]
        return found

    def id_after(self, moment: dt.datetime) -> int | None:
        """Return the first id of what was asked after a moment, None where nothing was: a page before it begins with
        the row that stands for the moment, or the last one before it."""
        later = Evaluation.objects.filter(cell=self.cell, as_of__gt=moment).order_by("as_of")
        found = later.values_list("pk", flat=True).first()
        for archive in self._archives(found, rising=True):
            if archive.last_as_of <= moment:
                continue
            ids = (row["id"] for row in _read(archive, self.cell, ("as_of",), found) if row["as_of"] > moment)
            first = next(ids, None)
            if first is not None:
                return int(first)
        return found

    def _rows(self, columns: Sequence[str], count: int | None, before: int | None, *, rising: bool) -> Iterator[Values]:
        """Yield id and columns of table and files together, in the order of the ids."""
        archives = deque(self._archives(before, rising=rising))
        versions = {one.pk: one for one in ParameterVersion.objects.filter(cell=self.cell)} if archives else {}
        waiting: deque[Values] = deque()
        sign = 1 if rising else -1
        for row in chain(self._table(columns, count, before, rising=rising), (None,)):
            while archives and (row is None or sign * _nearest(archives[0], rising=rising) < sign * row[0]):
                found = _read(archives.popleft(), self.cell, columns, before)
                waiting.extend(
                    (one["id"], *(_value(one, name, versions) for name in columns))
                    for one in (found if rising else reversed(found))
                )
                if row is None:
                    yield from _drain(waiting)
            while waiting and (row is None or sign * waiting[0][0] < sign * row[0]):
                yield waiting.popleft()
            if row is not None:
                yield row

    def _table(
        self, columns: Sequence[str], count: int | None, before: int | None, *, rising: bool
    ) -> Iterator[Values]:
        rows = Evaluation.objects.filter(cell=self.cell).order_by("id" if rising else "-id")
        if self.actions:
            rows = rows.filter(action__in=self.actions)
        if before is not None:
            rows = rows.filter(pk__lt=before)
        values = rows.values_list("id", *columns)
        return iter(values.iterator() if count is None else values[:count])

    def _archives(self, before: int | None, *, rising: bool) -> Iterable[EvaluationArchive]:
        """Return the files that may hold rows of the cell, in one query; none where HOLD is not asked for."""
        if self.actions and Evaluation.Action.HOLD not in self.actions:
            return ()
        archives = EvaluationArchive.objects.filter(portfolio=self.cell.portfolio_id, removed_at__isnull=False)
        if before is not None:
            archives = archives.filter(first_id__lt=before)
        return archives.order_by("first_id" if rising else "-first_id")


def _nearest(archive: EvaluationArchive, *, rising: bool) -> int:
    return archive.first_id if rising else archive.last_id


def _drain(waiting: deque[Values]) -> Iterator[Values]:
    while waiting:
        yield waiting.popleft()


def history(cell: Cell, actions: Iterable[str] = ()) -> History:
    """Return all that a cell was asked; of some actions only where any are named."""
    return History(cell, tuple(action for action in actions if action in Evaluation.Action.values))


def since(rows: Iterator[Values], moment: dt.datetime | None, position: int) -> Iterator[Values]:
    """Yield rows by falling time until one whose moment, at a position, is before `moment`."""
    for row in rows:
        if moment is not None and row[position] < moment:
            return
        yield row


def _value(row: dict[str, Any], name: str, versions: dict[int, ParameterVersion]) -> Any:
    if name.startswith(OF_PARAMETERS):
        return getattr(versions[row["parameters_id"]], name.removeprefix(OF_PARAMETERS))
    return row[name]


def _read(archive: EvaluationArchive, cell: Cell, columns: Iterable[str], before: int | None) -> list[dict[str, Any]]:
    stored = ["parameters_id" if name.startswith(OF_PARAMETERS) else name for name in columns]
    try:
        with archive.file.open("rb") as file:
            return list(parquet_rows(file, cell_id=cell.pk, columns=stored, before=before))
    except OSError as error:
        raise ArchiveError(
            f"The file of {archive} cannot be read: {error}.", hint="Bring the folder of files back from its backup."
        ) from error
