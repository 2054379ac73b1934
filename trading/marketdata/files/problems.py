"""What is wrong with a file: everything that was found, in one error, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from volbal.common.errors import Refused

LISTED = 20


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong. `line` is the file's own (a CSV's header is line 1), a Parquet's row counted from 1, or None
    where it is the whole file; `what` names column and value."""

    line: int | None
    what: str
    expected: str

    def sentence(self, unit: str) -> str:
        """Say it in one line; `unit` is what the file's lines are called."""
        where = "" if self.line is None else f"{unit} {self.line}: "
        return f"{where}{self.what}; expected {self.expected}"


class FileRefused(Refused):
    """A file that cannot be used: `problems` holds everything found, the message the first 20. Nothing was written."""

    code = "file_refused"

    def __init__(self, path: str, problems: Sequence[Problem], unit: str = "line") -> None:
        self.path = path
        self.problems = tuple(problems)
        listed = [problem.sentence(unit) for problem in self.problems[:LISTED]]
        more = len(self.problems) - len(listed)
        if more > 0:
            listed.append(f"and {more} more")
        if len(self.problems) == 1:
            message = f"{path}, {listed[0]}." if self.problems[0].line is not None else f"{path}: {listed[0]}."
        else:
            message = "\n  ".join([f"{path}: {len(self.problems)} problems.", *listed])
        super().__init__(message)


def refuse_whole(path: str, what: str, expected: str) -> FileRefused:
    """Return the error for a file that is wrong as a whole."""
    return FileRefused(path, [Problem(None, what, expected)])


def in_file_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems as a reader of the file meets them; those of the whole file come first."""
    return sorted(problems, key=lambda problem: -1 if problem.line is None else problem.line)
