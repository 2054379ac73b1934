"""Errors that people read: what happened, what was kept, what to do."""

from __future__ import annotations


class VolbalError(Exception):
    """A refusal with a stable code and a sentence a person can act on.

    `retry` says whether the same request may succeed later without a change.
    """

    code = "error"
    retry = False

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class Refused(VolbalError):  # noqa: N818  # reads as what it is: an expected no, not a fault
    """What was asked is not allowed in this state; nothing was changed."""

    code = "refused"


class Conflict(VolbalError):  # noqa: N818  # the field's word
    """Someone else changed the same thing first; nothing was changed."""

    code = "conflict"
    retry = True
