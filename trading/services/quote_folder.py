"""Quotes dropped as files into a folder: each file is read once, good rows are taken, bad ones are told."""

from __future__ import annotations

import csv
import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from portfolios.models import Instrument
from trading.feeds.base import PriceQuote
from trading.marketdata.files.problems import FileRefused, Problem
from trading.marketdata.files.quotes import FileQuote, read_quotes
from trading.marketdata.files.tables import EXTENSIONS
from trading.services.price_limits import price_limits
from trading.services.pricing import prices_judge
from trading.services.quote_checks import quote_problem
from trading.services.quotes import refusals_count
from volbal.common import clock

READING, DONE, REFUSED = "reading", "done", "refused"
# A file in `reading` for longer was left there by a process that was killed: reading it again changes nothing.
LEFT_AFTER_SECONDS = 60

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderOutcome:
    """What came of a look into the folder."""

    files: int
    quotes: int
    problems: int


def folder_take(*, folder: Path, source: str, is_synthetic: bool) -> FolderOutcome:
    """Take every whole file of the folder: a rename claims it, so that of many processes one reads it.

    It goes to `done`, what was wrong in it to `refused` with file, line, value and what was expected; a file that
    cannot be read at all goes to `refused` itself. The newest quote of a symbol wins, whatever the order of files.
    """
    for name in (READING, DONE, REFUSED):
        (folder / name).mkdir(parents=True, exist_ok=True)
    files = quotes = problems = 0
    for path in _claimed(folder):
        taken, wrong = _take(path, folder, source, is_synthetic)
        files, quotes, problems = files + 1, quotes + taken, problems + wrong
    return FolderOutcome(files, quotes, problems)


def _claimed(folder: Path) -> Iterator[Path]:
    """Yield the files that are ours to read, oldest first. What begins with a dot is still being written."""
    left = clock.now().timestamp() - LEFT_AFTER_SECONDS
    yield from [path for path in _files(folder / READING) if path.stat().st_mtime < left]
    for path in _files(folder):
        claimed = folder / READING / path.name
        try:
            path.rename(claimed)
        except FileNotFoundError:
            continue  # another process was first
        claimed.touch()
        yield claimed


def _files(folder: Path) -> list[Path]:
    found = [one for one in folder.iterdir() if one.is_file() and not one.name.startswith(".")]
    return sorted((one for one in found if one.suffix.lower() in EXTENSIONS), key=lambda one: one.name)


def _take(path: Path, folder: Path, source: str, is_synthetic: bool) -> tuple[int, int]:
    moment = clock.now()
    try:
        read = read_quotes(path)
    except FileRefused as refusal:
        _refuse(folder, path, refusal.problems, source, moment)
        _move(path, folder / REFUSED, moment)
        return 0, len(refusal.problems)
    newest, problems = _checked(read.quotes, source, is_synthetic, moment)
    problems = sorted([*read.problems, *problems], key=lambda one: one.line or 0)
    if newest:
        prices_judge(quotes=newest, as_of=moment)
    if problems:
        _refuse(folder, path, problems, source, moment)
    _move(path, folder / DONE, moment)
    return len(newest), len(problems)


def _checked(
    rows: Iterable[FileQuote], source: str, is_synthetic: bool, moment: dt.datetime
) -> tuple[list[PriceQuote], list[Problem]]:
    """Return the newest quote of each instrument, and the rows that no quote can be made of."""
    rows = list(rows)
    known = dict(Instrument.objects.filter(symbol__in={row.symbol for row in rows}).values_list("symbol", "pk"))
    newest: dict[int, PriceQuote] = {}
    problems = []
    for row in rows:
        if row.symbol not in known:
            problems.append(Problem(row.line, f"symbol is {row.symbol!r}", "an instrument of this installation"))
            continue
        quote = _quote(row, known[row.symbol], source, is_synthetic, moment)
        wrong = quote_problem(quote, moment, price_limits())
        if wrong:
            problems.append(Problem(row.line, wrong, "a quote of the present"))
        elif quote.instrument_id not in newest or quote.as_of >= newest[quote.instrument_id].as_of:
            newest[quote.instrument_id] = quote
    return list(newest.values()), problems


def _quote(row: FileQuote, instrument_id: int, source: str, is_synthetic: bool, moment: dt.datetime) -> PriceQuote:
    return PriceQuote(
        instrument_id=instrument_id,
        source=source,
        is_synthetic=is_synthetic,
        last=row.last,
        as_of=row.as_of,
        received_at=moment,
        bid=row.bid,
        ask=row.ask,
        previous_close=row.previous_close,
        last_at=row.last_at,
    )


def _refuse(folder: Path, path: Path, problems: Sequence[Problem], source: str, moment: dt.datetime) -> None:
    """Write what was wrong beside the refused files, log it and count it."""
    report = folder / REFUSED / f"{_stamp(moment)}-{path.name}.problems.csv"
    with report.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["file", "line", "what", "expected"])
        lines.writerows([path.name, one.line or "", one.what, one.expected] for one in problems)
    last = problems[-1]
    where = "" if last.line is None else f", line {last.line}"
    logger.warning("%s: %s rows of quotes were refused, see %s", path.name, len(problems), report)
    refusals_count(
        source=source, count=len(problems), last=f"{path.name}{where}: {last.what}; expected {last.expected}"
    )


def _move(path: Path, folder: Path, moment: dt.datetime) -> None:
    try:
        path.rename(folder / f"{_stamp(moment)}-{path.name}")
    except FileNotFoundError:
        logger.info("%s was put away by another process", path.name)


def _stamp(moment: dt.datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S%f}"
