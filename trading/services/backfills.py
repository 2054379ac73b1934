"""Fetching history as a job. A source is asked outside any transaction; each symbol is kept once it is there."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from portfolios.models import Cell, Instrument
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.marketdata.catalogue import load_bars, series_store
from trading.marketdata.history import DAILY, HistoryRange, HistorySource, history_source
from trading.marketdata.merging import bars_merge
from trading.models import Backfill, BarSeries
from trading.services.action_imports import import_confirm, rows_of_actions
from volbal.common import clock
from volbal.common.errors import Conflict, Refused, VolbalError
from volbal.common.tenancy import every_tenant
from volbal.strategy import StrategyError

logger = logging.getLogger(__name__)
ORIGIN = Origin(task="backfill")
LEASE = dt.timedelta(minutes=10)
MOST_ATTEMPTS = 3
# How far back and ahead the daily fetch of actions looks: late corrections, and pay dates announced since.
DAYS_BACK, DAYS_AHEAD = 60, 60
State = Backfill.State


def backfill_create(
    *, source: str, symbols: Sequence[str], start: dt.date, end: dt.date, origin: Origin, resolution: str = DAILY
) -> Backfill:
    """Queue a fetch of bars, dividends and splits; with an empty `resolution` of dividends and splits alone.

    Raises Refused for a source or symbols there are not, and for a range that is none.
    """
    history_source(source)
    asked = HistoryRange(start, end, resolution or DAILY)
    wanted = list(dict.fromkeys(symbol.strip() for symbol in symbols if symbol.strip()))
    known = set(Instrument.objects.filter(symbol__in=wanted).values_list("symbol", flat=True))
    missing = [symbol for symbol in wanted if symbol not in known]
    if missing or not wanted:
        named = ", ".join(missing) or "nothing at all"
        raise Refused(
            f"No instrument has the symbol {named}.", code="unknown_symbol", hint="Add it in the console first."
        )
    with transaction.atomic():
        job = Backfill.objects.create(
            source=source,
            symbols=wanted,
            start=asked.start,
            end=asked.end,
            resolution=resolution,
            created_by_id=origin.actor_id,
        )
        event_record(
            kind="backfill.created",
            subject=subject_of(job),
            origin=origin,
            tenant_id=None,
            after={"source": source, "symbols": wanted, "start": start, "end": end, "resolution": resolution},
        )
    return job


def backfill_run(*, backfill_id: int) -> Backfill | None:
    """Fetch what is left of a job; None where another worker has it or there is nothing to do.

    A symbol that fails is noted and the others go on. Running it again takes up only what is not done.
    """
    job = _claim(backfill_id)
    if job is None:
        return None
    try:
        source = _source(job)
        if source is None:
            return _end(job, State.FAILED)
        for symbol in job.symbols:
            if symbol in job.results or symbol in job.errors:
                continue
            if not _extend(job):
                return _end(job, State.CANCELLED)
            _fetch(job, source, symbol)
        return _end(job, State.FAILED if job.errors and not job.results else State.COMPLETED)
    except Conflict:
        logger.warning("another worker has taken over %s", job)
        return None


def backfill_cancel(*, backfill: Backfill, origin: Origin) -> Backfill:
    """Stop a job: at once where it waits, after the symbol at hand where it runs. What it has kept stays.

    Raises Refused where it has ended.
    """
    with transaction.atomic():
        job = Backfill.objects.select_for_update().get(pk=backfill.pk)
        if job.is_finished:
            raise Refused(f"{job} has ended already; there is nothing to stop.", code="backfill_finished")
        job.state = State.CANCELLED if job.state == State.QUEUED else State.CANCELLING
        job.finished_at = clock.now() if job.state == State.CANCELLED else None
        job.save(update_fields=["state", "finished_at"])
        event_record(kind=f"backfill.{job.state}", subject=subject_of(job), origin=origin, tenant_id=None)
    return job


def backfills_waiting() -> list[int]:
    """Return the ids of jobs that no worker has: queued, or left behind by one that was lost."""
    lost = Q(state__in=(State.RUNNING, State.CANCELLING), lease_until__lt=clock.now())
    return list(Backfill.objects.filter(Q(state=State.QUEUED) | lost).order_by("pk").values_list("pk", flat=True)[:20])


def backfill_held_actions() -> Backfill | None:
    """Queue the daily fetch of dividends and splits of every instrument that a cell holds; None without a source."""
    source = settings.HISTORY_SOURCE
    with every_tenant():
        held = Cell.objects.exclude(status=Cell.Status.ARCHIVED).exclude(portfolio__mode="replay")
        symbols = list(held.order_by().values_list("instrument__symbol", flat=True).distinct())
    if not source or not symbols:
        return None
    today = clock.now().date()
    start, end = today - dt.timedelta(days=DAYS_BACK), today + dt.timedelta(days=DAYS_AHEAD)
    return backfill_create(source=source, symbols=sorted(symbols), start=start, end=end, resolution="", origin=ORIGIN)


def _claim(backfill_id: int) -> Backfill | None:
    now = clock.now()
    with transaction.atomic():
        job = Backfill.objects.select_for_update().filter(pk=backfill_id).first()
        if job is None or job.is_finished:
            return None
        lost = job.lease_until is not None and job.lease_until < now
        if job.state != State.QUEUED and not lost:
            return None
        if job.attempts >= MOST_ATTEMPTS:
            job.state, job.finished_at = State.FAILED, now
            job.errors |= {"": f"The worker was lost {job.attempts} times; it is not tried again."}
            job.save(update_fields=["state", "finished_at", "errors"])
            return None
        job.state = State.CANCELLING if job.state == State.CANCELLING else State.RUNNING
        job.attempts, job.lease_until = job.attempts + 1, now + LEASE
        job.save(update_fields=["state", "attempts", "lease_until"])
        return job


def _source(job: Backfill) -> HistorySource | None:
    """Return the source of a job; None, noted in the job, where it cannot be asked any more."""
    try:
        return history_source(job.source)
    except VolbalError as error:
        with transaction.atomic():
            current = _mine(job)
            current.errors[""] = str(error)
            current.save(update_fields=["errors"])
        job.errors = current.errors
        return None


def _mine(job: Backfill) -> Backfill:
    """Return the job as stored, locked. Raises Conflict where another worker has it."""
    current = Backfill.objects.select_for_update().get(pk=job.pk)
    if current.attempts != job.attempts or current.is_finished:
        raise Conflict(f"Another worker has taken over {job}.")
    return current


def _extend(job: Backfill) -> bool:
    """Keep the job for longer; False where it is to stop."""
    with transaction.atomic():
        current = _mine(job)
        current.lease_until = clock.now() + LEASE
        current.save(update_fields=["lease_until"])
        return current.state != State.CANCELLING


def _end(job: Backfill, state: Backfill.State) -> Backfill:
    with transaction.atomic():
        current = _mine(job)
        current.state = State.CANCELLED if current.state == State.CANCELLING else state
        current.finished_at, current.lease_until = clock.now(), None
        current.save(update_fields=["state", "finished_at", "lease_until"])
        event_record(
            kind=f"backfill.{current.state}",
            subject=subject_of(current),
            origin=ORIGIN,
            tenant_id=None,
            after={"results": current.results, "errors": current.errors},
        )
    return current


def _fetch(job: Backfill, source: HistorySource, symbol: str) -> None:
    """Fetch and keep one symbol, and note what became of it."""
    try:
        told, failed = _fetch_symbol(job, source, Instrument.objects.get(symbol=symbol)), ""
    except (VolbalError, StrategyError, OSError) as error:
        logger.warning("%s: %s failed: %s", job, symbol, error)
        told, failed = "", str(error)
    with transaction.atomic():
        current = _mine(job)
        if failed:
            current.errors[symbol] = failed
        else:
            current.results[symbol] = told
        current.save(update_fields=["results", "errors"])
    job.results, job.errors = current.results, current.errors


def _fetch_symbol(job: Backfill, source: HistorySource, instrument: Instrument) -> str:
    """Ask the source, then keep actions first, so that the bars are judged with them."""
    dividends = source.dividends(instrument, job.start, job.end)
    splits = source.splits(instrument, job.start, job.end)
    bars = source.bars(instrument, HistoryRange(job.start, job.end, job.resolution)) if job.resolution else None
    rows = rows_of_actions(instrument.symbol, dividends, splits)
    origin = Origin(actor_id=job.created_by_id, task="backfill", reason=f"{job}")
    told = []
    if rows:
        with every_tenant():
            told.append(f"actions: {import_confirm(rows=rows, source=job.source, origin=origin).sentence}")
    if bars is None:
        return "; ".join(told) or "no actions"
    before = BarSeries.objects.filter(instrument=instrument, resolution=job.resolution).order_by("-version").first()
    merged = bars_merge(None if before is None else load_bars(before), bars)
    if not merged.is_changed:
        return "; ".join([*told, f"bars: nothing new in {len(bars):,}"])
    series = series_store(
        instrument=instrument, bars=merged.bars, source=job.source, corrections=merged.corrections, origin=origin
    )
    bars_told = f"bars: {merged.added:,} new, {merged.corrected:,} corrected, version {series.version}, {series.grade}"
    return "; ".join([*told, bars_told])
