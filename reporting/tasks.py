"""Celery tasks of reporting."""

from celery import shared_task

from reporting.services import audit


@shared_task
def audit_sequence() -> int:
    """Link the events committed since the last run."""
    return audit.audit_sequence()
