"""A file as a table of named columns that remembers which line each row stood on."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

from trading.marketdata.files.problems import FileRefused, Problem, in_file_order, refuse_whole

PARQUET_MAGIC = b"PAR1"
EXTENSIONS = (".csv", ".parquet")


@dataclass(slots=True)
class Table:
    """Cells by lower-case column name, as texts or as what Parquet holds. `lines` are the file's own, `unit` what they
    are called ("line" or "row")."""

    path: str
    columns: dict[str, list[object]]
    lines: list[int]
    unit: str
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.lines)

    def report(self, row: int, what: str, expected: str) -> None:
        """Note what is wrong in a row, counted from 0."""
        self.problems.append(Problem(self.lines[row], what, expected))

    def keep(self, chosen: list[bool]) -> None:
        """Keep only the chosen rows; they keep their lines."""
        self.columns = {name: list(compress(cells, chosen)) for name, cells in self.columns.items()}
        self.lines = list(compress(self.lines, chosen))

    def require(self, *names: str) -> None:
        """Raise FileRefused unless every column is there and at least one row is."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            present = ", ".join(self.columns)
            raise refuse_whole(
                self.path, f"no column {', '.join(missing)} among {present}", f"columns {', '.join(names)}"
            )
        if not self.lines:
            raise refuse_whole(self.path, "no rows", "at least one row below the header")

    def refuse_problems(self) -> None:
        """Raise FileRefused with everything noted so far, if anything was."""
        if self.problems:
            raise FileRefused(self.path, in_file_order(self.problems), self.unit)


def read_table(path: str | Path) -> Table:
    """Read a CSV or Parquet file by its extension, which its content must match. Raises FileRefused."""
    name, content = str(path), _content(Path(path))
    if Path(path).suffix.lower() == ".parquet":
        return _parquet(name, content)
    if content.startswith(PARQUET_MAGIC):
        raise refuse_whole(name, "the content is Parquet", "text, as the extension .csv says")
    return _csv(name, content)


def table_of_text(name: str, text: str) -> Table:
    """Read the text of a CSV file; `name` is what errors call it. Raises FileRefused."""
    if not text.strip():
        raise refuse_whole(name, "the file is empty", "a header and at least one row")
    return _csv(name, text.encode())


def _content(path: Path) -> bytes:
    suffix = path.suffix.lower()
    if suffix not in EXTENSIONS:
        raise refuse_whole(str(path), f"the extension is {suffix or 'missing'}", " or ".join(EXTENSIONS))
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise refuse_whole(str(path), f"it cannot be read ({reason})", "a readable file") from None
    if not content.strip():
        raise refuse_whole(str(path), "the file is empty", "a header and at least one row")
    return content


def _csv(name: str, content: bytes) -> Table:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileRefused(name, [Problem(line, "bytes that are no UTF-8 text", "a CSV file in UTF-8")]) from None
    if "\0" in text:
        raise refuse_whole(name, "the content is binary", "text, as the extension .csv says")
    rows, lines = _rows(name, text)
    header = [cell.strip().lower() for cell in rows[0]]
    _refuse_ragged(name, header, rows, lines)
    cells: list[list[object]] = [list(column) for column in zip(*rows[1:], strict=True)] or [[] for _ in header]
    return Table(name, dict(zip(header, cells, strict=True)), lines[1:], "line")


def _rows(name: str, text: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows with the line each one ends on. Blank lines at the end of the file are no rows."""
    reader = csv.reader(io.StringIO(text.rstrip(), newline=""), strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise FileRefused(name, [Problem(reader.line_num, str(error), "comma-separated values")]) from None
    return rows, lines


def _refuse_ragged(name: str, header: list[str], rows: list[list[str]], lines: list[int]) -> None:
    _refuse_twice(name, header)
    expected = f"{len(header)} values, as in the header"
    problems = [
        Problem(line, f"{len(row)} values" if row else "a blank line", expected)
        for row, line in zip(rows, lines, strict=True)
        if len(row) != len(header)
    ]
    if problems:
        raise FileRefused(name, problems)


def _refuse_twice(name: str, header: list[str]) -> None:
    twice = [column for column, count in Counter(header).items() if count > 1]
    if twice:
        raise refuse_whole(name, f"the column {twice[0]!r} stands there twice", "each column once")


def _parquet(name: str, content: bytes) -> Table:
    import pandas as pd
    from pyarrow import ArrowException

    if not content.startswith(PARQUET_MAGIC):
        raise refuse_whole(name, "the content is not Parquet", "Parquet, as the extension .parquet says")
    try:
        frame = pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    except (ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise refuse_whole(name, f"it cannot be read ({reason})", "a whole Parquet file") from None
    frame = frame.reset_index() if frame.index.name else frame
    header = [str(column).strip().lower() for column in frame.columns]
    _refuse_twice(name, header)
    cells = {column: frame.iloc[:, place].tolist() for place, column in enumerate(header)}
    return Table(name, cells, list(range(1, len(frame) + 1)), "row")
