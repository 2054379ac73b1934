"""Checks shared by the services; each refuses before anything is written."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db.models import Model

from portfolios.models import Cell
from portfolios.services.origin import Origin
from volbal.common.errors import Refused


def insert(row: Model) -> None:
    """Validate a new row and insert it. Raises Refused naming each field that cannot be, and why."""
    try:
        row.full_clean()
    except ValidationError as error:
        raise Refused(_words(error), code="invalid") from error
    row.save(force_insert=True)


def require_reason(origin: Origin, what: str) -> None:
    """Raise Refused unless a reason is given."""
    if not origin.reason.strip():
        raise Refused(f"{what} needs a reason, and none was given.", code="no_reason")


def require_not_archived(cell: Cell) -> None:
    """Raise Refused for a cell that was put away for good."""
    if cell.status == Cell.Status.ARCHIVED:
        raise Refused(f"{cell} is archived; its books are only read and emptied.", code="archived")


def _words(error: ValidationError) -> str:
    parts = [
        f"{name}: {' '.join(messages)}" if name != "__all__" else " ".join(messages)
        for name, messages in error.message_dict.items()
    ]
    return " ".join(parts)
