"""Who did something, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """The person, by id, or the task behind a change, with the reason given for it."""

    actor_id: int | None = None
    task: str = ""
    reason: str = ""
