"""Asking workers to take something up at once. A message is a hint: what it starts is found in the database too."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def task_start(task: Task[..., Any], *arguments: object, countdown: float = 0.0) -> bool:
    """Ask a worker to run a task, `countdown` seconds from now; return whether the message could be left.

    Call it after the commit. Where the message server is away the change stands all the same, and the schedule that
    looks for work left waiting comes to it within seconds.
    """
    try:
        task.apply_async(arguments, countdown=countdown)
    except OperationalError as away:
        logger.warning("no message could be left for %s: %s", task.name, away)
        return False
    return True
