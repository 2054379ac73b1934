"""What runs by the clock. Written once into the database, where operators change it in the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import router
from django_celery_beat.models import IntervalSchedule, PeriodicTask


@dataclass(frozen=True, slots=True)
class Schedule:
    """A task by name and how often it runs. `expires_seconds` drops a run that waited longer than that."""

    name: str
    task: str
    every_seconds: int
    expires_seconds: int


SCHEDULES = (
    Schedule("Tick the portfolios that are due", "trading.tasks.dispatch_due", 1, 5),
    Schedule("Notice ticks that were missed", "trading.tasks.watch_ticks", 5, 5),
    Schedule("Look at the limits on brokers and everywhere", "trading.tasks.watch_shared_limits", 5, 5),
    Schedule("Archive old HOLD evaluations", "trading.tasks.archive_old_evaluations", 86_400, 3_600),
    Schedule("Send orders that were left waiting", "trading.tasks.send_waiting", 5, 30),
    Schedule("Compare accounts with their brokers", "trading.tasks.reconcile_waiting", 5, 30),
    Schedule("Take up backtests that were left waiting", "optimization.tasks.run_waiting", 5, 30),
    Schedule("Take up fetches of history that were left waiting", "trading.tasks.backfill_waiting", 30, 60),
    Schedule("Fetch dividends and splits of what is held", "trading.tasks.backfill_actions", 86_400, 3_600),
    Schedule("Lay the audit chain over new events", "reporting.tasks.audit_sequence", 10, 60),
)


def schedules_install() -> list[str]:
    """Write the schedules that are not there yet and return their names; what is there stays as people set it."""
    written = []
    for schedule in SCHEDULES:
        interval, _ = IntervalSchedule.objects.get_or_create(
            every=schedule.every_seconds, period=IntervalSchedule.SECONDS
        )
        _, is_new = PeriodicTask.objects.get_or_create(
            name=schedule.name,
            defaults={"task": schedule.task, "interval": interval, "expire_seconds": schedule.expires_seconds},
        )
        if is_new:
            written.append(schedule.name)
    return written


def install_after_migrate(using: str, **_: Any) -> None:
    """Receive `post_migrate` of django-celery-beat, whose tables hold the schedules."""
    if router.db_for_write(PeriodicTask) == using:
        schedules_install()
