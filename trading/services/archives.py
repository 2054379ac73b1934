"""Old HOLD evaluations leave their table for Parquet files; what acted or wanted to act stays.

Whatever is killed and whenever: a file without a row is written again, a row whose evaluations are still in the table
is finished at the next run, and each evaluation is read from exactly one of the two.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db import transaction
from django.db.models import Max, OuterRef, QuerySet, Subquery

from portfolios.models import LedgerEntry, Portfolio
from portfolios.services import Origin
from portfolios.services.events import event_record, subject_of
from trading.models import Evaluation, EvaluationArchive, RetentionPolicy
from trading.selectors.performance import FLOWS
from trading.services.archive_files import COLUMNS, parquet_ids, rows_as_parquet
from volbal.common import clock
from volbal.common.errors import Refused, VolbalError
from volbal.common.exclusive import only_one

ORIGIN = Origin(task="archive")
ROWS_IN_A_FILE = 50_000


class ArchiveError(VolbalError):
    """A file of old evaluations is not what was written; nothing was removed."""

    code = "archive"


@dataclass(frozen=True, slots=True)
class Archived:
    """What one run did."""

    file_count: int = 0
    row_count: int = 0


def retention_days() -> int:
    """Return how many days HOLD evaluations stay in their table."""
    policy = RetentionPolicy.objects.filter(pk=1).first()
    return RetentionPolicy.DEFAULT_DAYS if policy is None else policy.hold_days


def retention_set(*, hold_days: int, origin: Origin) -> RetentionPolicy:
    """Say how many days HOLD evaluations stay in their table, from 1. What is archived already stays in its files."""
    if hold_days < 1:
        raise Refused(f"hold_days is {hold_days}; expected at least 1.", code="out_of_bounds")
    with transaction.atomic():
        before = retention_days()
        policy, _ = RetentionPolicy.objects.update_or_create(pk=1, defaults={"hold_days": hold_days})
        event_record(
            kind="retention.set",
            subject="retention:1",
            origin=origin,
            tenant_id=None,
            before={"hold_days": before},
            after={"hold_days": hold_days},
        )
    return policy


def evaluations_archive(*, hold_days: int | None = None) -> Archived:
    """Archive the HOLD evaluations of all portfolios in scope that were recorded before the days they stay.

    A second run at the same time leaves a portfolio to the first. Raises ArchiveError where a file does not hold what
    was written; its rows stay in the table.
    """
    days = retention_days() if hold_days is None else hold_days
    before = clock.now() - dt.timedelta(days=days)
    files = rows = 0
    for portfolio in Portfolio.objects.order_by("id"):
        with only_one("archive", portfolio.pk) as is_ours:
            if is_ours:
                made = _archive(portfolio, before)
                files, rows = files + len(made), rows + sum(made)
    return Archived(files, rows)


def _archive(portfolio: Portfolio, before: dt.datetime) -> list[int]:
    """Finish what an earlier run began, then go on; return the rows of each file."""
    made = []
    for unfinished in EvaluationArchive.objects.filter(portfolio=portfolio, removed_at=None).order_by("first_id"):
        made.append(_remove(unfinished))
    while (archive := _write(portfolio, before)) is not None:
        made.append(_remove(archive))
    return made


def archivable(portfolio: Portfolio, before: dt.datetime) -> QuerySet[Evaluation]:
    """Return the evaluations of a portfolio that may leave: HOLD, recorded before a moment, needed by no figure.

    The last one before a deposit, a withdrawal or another flow says what the cell was worth at it, and stays.
    """
    rows = Evaluation.objects.filter(
        cell__portfolio=portfolio, action=Evaluation.Action.HOLD, recorded_at__lt=before, order=None
    )
    reached = EvaluationArchive.objects.filter(portfolio=portfolio).aggregate(last=Max("last_id"))["last"]
    last = Evaluation.objects.filter(cell=OuterRef("cell"), as_of__lte=OuterRef("as_of")).order_by("-as_of")
    flows = LedgerEntry.objects.filter(cell__portfolio=portfolio, kind__in=FLOWS)
    needed = {pk for pk in flows.annotate(last=Subquery(last.values("pk")[:1])).values_list("last", flat=True) if pk}
    return rows.filter(pk__gt=reached or 0).exclude(pk__in=needed).order_by("id")


def _write(portfolio: Portfolio, before: dt.datetime) -> EvaluationArchive | None:
    """Write the next file of a portfolio and commit its row; None where nothing is left."""
    rows: list[tuple[Any, ...]] = list(archivable(portfolio, before).values_list(*COLUMNS)[:ROWS_IN_A_FILE])
    if not rows:
        return None
    month = rows[0][_RECORDED_AT].date().replace(day=1)
    rows = [row for row in rows if row[_RECORDED_AT].date().replace(day=1) == month]
    content = rows_as_parquet(rows)
    archive = EvaluationArchive(
        tenant_id=portfolio.tenant_id,
        portfolio=portfolio,
        month=month,
        row_count=len(rows),
        first_id=rows[0][_ID],
        last_id=rows[-1][_ID],
        first_as_of=rows[0][_AS_OF],
        last_as_of=rows[-1][_AS_OF],
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    name = f"{portfolio.tenant_id}/{portfolio.pk}/{month:%Y-%m}-{archive.first_id}.parquet"
    # A run that was killed before its row was committed left a file of this name, which nothing refers to.
    storage: Storage = EvaluationArchive._meta.get_field("file").storage
    storage.delete(f"evaluations/{name}")
    archive.file.save(name, ContentFile(content), save=False)
    archive.save(force_insert=True)
    return archive


_ID, _AS_OF, _RECORDED_AT = (COLUMNS.index(name) for name in ("id", "as_of", "recorded_at"))


def _remove(archive: EvaluationArchive) -> int:
    """Read the file back, and take from the table exactly what is in it; return how many rows that was."""
    ids = archive_verify(archive)
    with transaction.atomic():
        held = EvaluationArchive.objects.select_for_update(no_key=True).get(pk=archive.pk)
        if held.removed_at is not None:
            return 0
        rows = Evaluation.objects.filter(cell__portfolio=archive.portfolio_id, action=Evaluation.Action.HOLD)
        inside = rows.filter(pk__gte=archive.first_id, pk__lte=archive.last_id).values_list("pk", flat=True)
        gone = set(ids) - set(inside)
        if gone:
            raise ArchiveError(f"{archive} names {len(gone)} rows that are not in the table; nothing was removed.")
        # Past the collector, which would load every row to look for orders; the database itself guards those.
        doomed = Evaluation.objects.filter(pk__in=ids)
        doomed._raw_delete(doomed.db)
        held.removed_at = clock.now()
        held.save(update_fields=["removed_at"])
        event_record(
            kind="evaluations.archived",
            subject=subject_of(archive),
            origin=ORIGIN,
            tenant_id=archive.tenant_id,
            after={"portfolio": archive.portfolio_id, "rows": archive.row_count, "sha256": archive.sha256},
        )
    return archive.row_count


def archive_verify(archive: EvaluationArchive) -> list[int]:
    """Return the ids in a file once it was found to be what was written. Raises ArchiveError otherwise."""
    try:
        with archive.file.open("rb") as file:
            content = file.read()
    except OSError as error:
        raise ArchiveError(f"The file of {archive} cannot be read: {error}.") from error
    if hashlib.sha256(content).hexdigest() != archive.sha256:
        raise ArchiveError(f"The file of {archive} is not what was written: its checksum differs.")
    ids = parquet_ids(ContentFile(content))
    if len(ids) != archive.row_count:
        raise ArchiveError(f"The file of {archive} holds {len(ids)} rows; expected {archive.row_count}.")
    return ids
