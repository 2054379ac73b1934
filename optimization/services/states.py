"""How a backtest goes from state to state. What is not in the table raises."""

from __future__ import annotations

from typing import Any

from django.utils.text import capfirst

from optimization.models import MOVES, Backtest
from portfolios.services.events import event_record
from portfolios.services.origin import Origin
from volbal.common.errors import Conflict


class StateError(RuntimeError):
    """A move that the table does not allow: a fault of the program, not of a person."""


def move(row: Backtest, to: Backtest.State, *, origin: Origin, **changes: Any) -> None:
    """Move a backtest and write its event; call it inside a transaction.

    Only one of two that try at once succeeds: the other gets Conflict and has changed nothing. Raises StateError for
    a move that is not in the table.
    """
    before = Backtest.State(row.state)
    if to not in MOVES[before]:
        raise StateError(f"backtest {row.pk} is {before}; it cannot become {to}")
    matching = Backtest.objects.filter(pk=row.pk, state=before, attempts=row.attempts)
    if matching.update(state=to, **changes) != 1:
        raise Conflict(f"{capfirst(row.name)} was changed by someone else first.", hint="Look again at what it is now.")
    row.state = to
    for name, value in changes.items():
        setattr(row, name, value)
    event_record(
        kind=f"backtest.{to}",
        subject=f"backtest:{row.pk}",
        origin=origin,
        tenant_id=row.tenant_id,
        before={"state": before},
        after={"state": to, **({"error": row.error} if to == Backtest.State.FAILED else {})},
    )
