"""The wall clock, in one place, so that tests can set it. What happens at a tick is dated by its prices instead."""

import datetime as dt

from django.utils import timezone


def now() -> dt.datetime:
    """Return the present moment, aware, in UTC."""
    return timezone.now()


def require_aware(moment: dt.datetime, name: str) -> dt.datetime:
    """Return `moment` in UTC. Raises ValueError, naming the argument, when it carries no zone."""
    if timezone.is_naive(moment):
        raise ValueError(
            f"{name} {moment.isoformat()} has no time zone; expected an aware time, for example with +00:00"
        )
    return moment.astimezone(dt.UTC)
