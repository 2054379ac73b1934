"""Create, run and cancel backtests."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Q
from django.db.models.fields.files import FieldFile

from optimization.documents import result_document
from optimization.models import Backtest
from optimization.services import results
from optimization.services.inputs import checked_options, checked_parameters
from optimization.services.states import move
from portfolios.models import Tenant
from portfolios.services.events import event_record
from portfolios.services.origin import Origin
from trading.marketdata.catalogue import load_actions, load_bars
from trading.models import BarSeries
from volbal.common import clock
from volbal.common.errors import Conflict, Refused
from volbal.strategy import Result, StrategyError, StrategyParameters, simulate

logger = logging.getLogger(__name__)
ORIGIN = Origin(task="backtest")
LEASE = dt.timedelta(seconds=120)
MOST_ATTEMPTS = 3
State = Backtest.State
PATHS = ("ohlc", "olhc")


def backtest_create(
    *,
    tenant: Tenant,
    series: BarSeries,
    origin: Origin,
    parameters: StrategyParameters | Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    name: str = "",
) -> Backtest:
    """Queue a backtest on a series of bars, with the corporate actions the catalogue knows.

    `options` are those of `RunOptions` but dividends and splits. Raises Refused before anything is written.
    """
    chosen = checked_parameters({} if parameters is None else parameters)
    run_options = checked_options(series, chosen, {} if options is None else options)
    with transaction.atomic():
        row = Backtest.objects.create(
            tenant=tenant,
            name=name.strip() or f"{series.instrument.symbol} {series.get_resolution_display().lower()}",
            instrument=series.instrument,
            series=series,
            parameters=chosen.to_dict(),
            options=run_options,
            created_by_id=origin.actor_id,
        )
        event_record(
            kind="backtest.created",
            subject=f"backtest:{row.pk}",
            origin=origin,
            tenant_id=tenant.pk,
            after={"series": series.pk, "parameters": row.parameters, "options": row.options},
        )
    return row


def backtest_run(*, backtest_id: int) -> Backtest | None:
    """Run a queued backtest, or one whose worker was lost, and keep its result.

    Return it as it ended; None where another worker has it or there is nothing to do. Running it twice changes nothing.
    """
    row = _claim(backtest_id)
    if row is None:
        return None
    try:
        _run(row)
    except Conflict:
        logger.warning("another worker has taken over backtest %s; this result is dropped", row.pk)
        return None
    return Backtest.objects.get(pk=row.pk)


def backtest_cancel(*, backtest: Backtest, origin: Origin) -> Backtest:
    """Cancel a backtest: at once where it waits, at its next step where it runs. Raises Refused where it has ended."""
    with transaction.atomic():
        row = Backtest.objects.select_for_update().get(pk=backtest.pk)
        if row.state == State.QUEUED:
            move(row, State.CANCELLED, origin=origin, finished_at=clock.now())
        elif row.state == State.RUNNING:
            move(row, State.CANCELLING, origin=origin)
        elif row.state != State.CANCELLING:
            raise Refused(
                f"{row.name} is {row.get_state_display().lower()} already; only what waits or runs can be cancelled.",
                code="backtest_finished",
            )
    return row


def backtests_waiting() -> list[Backtest]:
    """Return what no worker has: queued, or left behind by one that was lost. Oldest first."""
    unowned = Q(state=State.QUEUED) | Q(state__in=(State.RUNNING, State.CANCELLING), lease_until__lt=clock.now())
    return list(Backtest.objects.filter(unowned).only("pk", "tenant_id").order_by("pk")[:100])


def _claim(backtest_id: int) -> Backtest | None:
    """Take a backtest for this worker until its lease ends; None where it is not to be had."""
    now = clock.now()
    with transaction.atomic():
        row = Backtest.objects.select_for_update().filter(pk=backtest_id).first()
        if row is None or row.is_finished:
            return None
        lost = row.lease_until is not None and row.lease_until < now
        if row.state == State.CANCELLING and lost:
            move(row, State.CANCELLED, origin=ORIGIN, finished_at=now)
            return None
        if row.state != State.QUEUED and not lost:
            return None
        if row.attempts >= MOST_ATTEMPTS:
            error = f"The worker was lost {row.attempts} times; it is not tried again."
            move(row, State.FAILED, origin=ORIGIN, error=error, finished_at=now, lease_until=None)
            return None
        started = {"started_at": now, "lease_until": now + LEASE, "attempts": row.attempts + 1, "progress": 0.0}
        move(row, State.RUNNING, origin=ORIGIN, **started)
        return row


def _run(row: Backtest) -> None:
    try:
        result, band = _simulate(row), _band(row)
    except (StrategyError, Refused, ValueError, OSError) as error:
        _fail(row, str(error))
    else:
        _complete(row, result, band)


def _band(row: Backtest) -> dict[str, Any]:
    """Return the measures along both paths where orders rest (strategy 12); nothing where the price is watched."""
    if row.options.get("execution") != "resting":
        return {}
    return {path: dict(_simulate(row, path=path).measures) for path in PATHS}


def _simulate(row: Backtest, **changes: Any) -> Result:
    dividends, splits = load_actions(row.instrument)
    return simulate(
        load_bars(row.series),
        StrategyParameters.from_dict(row.parameters),
        dividends=dividends,
        splits=splits,
        **{**row.options, **changes},
    )


def _complete(row: Backtest, result: Result, band: dict[str, Any]) -> None:
    """Keep files and figures in one transaction, unless it was cancelled meanwhile or another worker has it."""
    document = result_document(result)
    files = {"days_file": results.days_content(result), "trades_file": results.trades_content(result)}
    saved: list[FieldFile] = []
    try:
        with transaction.atomic():
            current = Backtest.objects.select_for_update().get(pk=row.pk)
            if not _end_if_cancelled(current, row):
                changes = {name: _save(current, name, content, saved) for name, content in files.items()}
                move(
                    current,
                    State.COMPLETED,
                    origin=ORIGIN,
                    finished_at=clock.now(),
                    lease_until=None,
                    progress=1.0,
                    manifest=_manifest(row, result),
                    band=band,
                    **{name: document[name] for name in ("bars", "first", "last", "measures", "skips", "final")},
                    **changes,
                )
    except BaseException:
        for file in saved:
            file.storage.delete(str(file.name))
        raise


def _fail(row: Backtest, error: str) -> None:
    logger.warning("backtest %s failed: %s", row.pk, error)
    with transaction.atomic():
        current = Backtest.objects.select_for_update().get(pk=row.pk)
        if not _end_if_cancelled(current, row):
            move(current, State.FAILED, origin=ORIGIN, error=error, finished_at=clock.now(), lease_until=None)


def _end_if_cancelled(current: Backtest, claimed: Backtest) -> bool:
    """End a backtest that was cancelled while it ran. Raises Conflict where another worker took it over."""
    if current.attempts != claimed.attempts or current.is_finished:
        raise Conflict(f"Another worker has taken over backtest {current.pk}.")
    if current.state != State.CANCELLING:
        return False
    move(current, State.CANCELLED, origin=ORIGIN, finished_at=clock.now(), lease_until=None)
    return True


def _save(row: Backtest, name: str, content: bytes, saved: list[FieldFile]) -> str:
    """Store a file under a name of its own and return that name; the row is written with the move."""
    file: FieldFile = getattr(row, name)
    file.save(f"{row.pk}-{name.removesuffix('_file')}.parquet", ContentFile(content), save=False)
    saved.append(file)
    return str(file.name)


def _manifest(row: Backtest, result: Result) -> dict[str, Any]:
    return {
        "code": results.code_version(),
        "bars": row.series.sha256,
        "series": {"id": row.series_id, "version": row.series.version, "source": row.series.source},
        "quality": row.series.quality,
        "actions": results.actions_hash(result.options.dividends, result.options.splits),
        "parameters": result.parameters.to_dict(),
        "options": row.options,
    }
