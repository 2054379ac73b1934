"""What became of a portfolio's ticks: done, failed, missed, and going again."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from portfolios.models import Portfolio
from portfolios.services import Origin
from portfolios.services.events import event_record, subject_of
from trading.models import TickState
from volbal.common import clock

ORIGIN = Origin(task="ticks")
ERROR_LENGTH = 500


def missed_after(interval_seconds: int) -> dt.timedelta:
    """Return how long after the last tick, or the start, the next one counts as missed."""
    return dt.timedelta(seconds=interval_seconds * settings.TICK_MISSED_AFTER_INTERVALS + settings.TICK_GRACE_SECONDS)


def tick_done(*, portfolio: Portfolio, started: dt.datetime) -> None:
    """Keep that a portfolio was looked at; tell it where ticks had been missed, noticed meanwhile or not."""
    moment = clock.now()
    with transaction.atomic():
        state = _locked(portfolio)
        if state.missed_since is None:
            _notice(state, portfolio, moment)
        if state.missed_since is not None:
            _tell(
                portfolio, "tick.recovered", {"missed_since": state.missed_since, "late_seconds": _late(state, moment)}
            )
        state.missed_since = None
        state.last_tick_at, state.last_duration_ms = moment, round((moment - started).total_seconds() * 1000)
        state.failed_in_a_row, state.last_error = 0, ""
        state.save()


def tick_failed(*, portfolio: Portfolio, error: Exception) -> None:
    """Keep why a tick raised; the first of a row is told."""
    with transaction.atomic():
        state = _locked(portfolio)
        state.last_error = f"{type(error).__name__}: {error}"[:ERROR_LENGTH]
        state.last_error_at = clock.now()
        state.failed_in_a_row += 1
        state.save(update_fields=["last_error", "last_error_at", "failed_in_a_row"])
        if state.failed_in_a_row == 1:
            _tell(portfolio, "tick.failed", {"error": state.last_error})


def ticks_notice_missed() -> list[Portfolio]:
    """Find the portfolios of all tenants in scope whose tick is missing, and tell each once. Return the new ones."""
    moment = clock.now()
    ticking = Portfolio.objects.filter(is_archived=False, next_tick_at__isnull=False).exclude(
        mode=Portfolio.Mode.REPLAY
    )
    unnoticed = ticking.filter(Q(tick_state__missed_since=None)).select_related("tick_state")
    found = []
    for portfolio in unnoticed:
        state = getattr(portfolio, "tick_state", None)
        if _is_missed(last_sign(portfolio, state), portfolio.tick_interval_seconds, moment) and _keep_missed(
            portfolio, moment
        ):
            found.append(portfolio)
    return found


def _keep_missed(portfolio: Portfolio, moment: dt.datetime) -> bool:
    with transaction.atomic():
        state = _locked(portfolio)
        was_known = state.missed_since is not None
        if not was_known:
            _notice(state, portfolio, moment)
            state.save(update_fields=["missed_since", "missed_count"])
        return not was_known and state.missed_since is not None


def _notice(state: TickState, portfolio: Portfolio, moment: dt.datetime) -> None:
    last = last_sign(portfolio, state)
    if _is_missed(last, portfolio.tick_interval_seconds, moment):
        # A tick of the future means that our clock was set back: nothing is looked at until it is past that tick.
        behind = max(round((last - moment).total_seconds(), 3), 0.0)
        state.missed_since = moment if behind else last + dt.timedelta(seconds=portfolio.tick_interval_seconds)
        state.missed_count += 1
        facts = {
            "missed_since": state.missed_since,
            "late_seconds": _late(state, moment),
            "clock_behind_seconds": behind,
            "interval_seconds": portfolio.tick_interval_seconds,
            "last_error": state.last_error,
        }
        _tell(portfolio, "tick.missed", facts)


def _is_missed(last: dt.datetime, interval_seconds: int, moment: dt.datetime) -> bool:
    return abs(moment - last) > missed_after(interval_seconds)


def last_sign(portfolio: Portfolio, state: TickState | None) -> dt.datetime:
    """Return the last tick, or the portfolio's start before there was one."""
    return portfolio.created_at if state is None or state.last_tick_at is None else state.last_tick_at


def _late(state: TickState, moment: dt.datetime) -> float:
    return 0.0 if state.missed_since is None else round((moment - state.missed_since).total_seconds(), 3)


def _tell(portfolio: Portfolio, kind: str, facts: dict[str, object]) -> None:
    event_record(kind=kind, subject=subject_of(portfolio), origin=ORIGIN, tenant_id=portfolio.tenant_id, after=facts)


def _locked(portfolio: Portfolio) -> TickState:
    rows = TickState.objects.select_for_update(no_key=True)
    known = rows.filter(portfolio=portfolio).first()
    if known is not None:
        return known
    TickState.objects.get_or_create(portfolio=portfolio, defaults={"tenant_id": portfolio.tenant_id})
    return rows.get(portfolio=portfolio)
