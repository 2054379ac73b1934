"""Bringing in dividends and splits from a file or a source: what each row would do, and doing it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from portfolios.models import Instrument
from portfolios.services.events import event_record
from portfolios.services.origin import Origin
from trading.marketdata.files import columns
from trading.marketdata.files.tables import Table, table_of_text
from trading.models import CorporateAction
from trading.services.action_changes import (
    Correction,
    action_correct,
    actions_announce,
    checked_terms,
)
from trading.services.corporate_actions import cells_settle
from volbal.common.errors import Conflict, Refused
from volbal.strategy import Dividend, Split

Kind = CorporateAction.Kind
CREATED, CHANGED, UNCHANGED, REFUSED = "created", "changed", "unchanged", "refused"


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action as a file or a source has it; `amount` of a dividend or `ratio` of a split. `line` is the file's."""

    line: int
    symbol: str
    ex_date: dt.date | None
    amount: Decimal | None = None
    ratio: Decimal | None = None
    pay_date: dt.date | None = None
    problem: str = ""

    @property
    def kind(self) -> str:
        """Return which kind of action it is."""
        return Kind.SPLIT if self.ratio is not None else Kind.DIVIDEND

    @property
    def words(self) -> str:
        """Return what it says."""
        terms = f"{self.ratio:f} for 1" if self.ratio is not None else f"{self.amount or 0:f} a share"
        paid = f", paid {self.pay_date}" if self.pay_date else ""
        return f"{self.symbol} {self.kind} of {self.ex_date}: {terms}{paid}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row comes to: created, changed, unchanged or refused, and why."""

    row: ActionRow
    what: str
    why: str = ""
    instrument: Instrument | None = None
    action: CorporateAction | None = None

    def __str__(self) -> str:
        reason = f" ({self.why})" if self.why else ""
        said = self.row.words if self.row.ex_date is not None and not self.row.problem else self.row.symbol
        return f"line {self.row.line}: {self.what}: {said}{reason}"


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What every row comes to, in the file's order."""

    outcomes: tuple[Outcome, ...]

    def count(self, what: str) -> int:
        """Return how many rows come to something."""
        return sum(one.what == what for one in self.outcomes)

    @property
    def sentence(self) -> str:
        """Return the counts in a line."""
        return ", ".join(f"{self.count(what):,} {what}" for what in (CREATED, CHANGED, UNCHANGED, REFUSED))

    @property
    def fingerprint(self) -> str:
        """Return what tells this plan from another: what a person confirmed is what is done."""
        revisions = [f"{one}:{one.action.revision if one.action else 0}" for one in self.outcomes]
        return hashlib.sha256("\n".join(revisions).encode()).hexdigest()


def rows_of_text(name: str, text: str) -> list[ActionRow]:
    """Read a CSV with columns symbol, ex_date, amount or ratio, and pay_date where known.

    What is wrong with a row is said in the row. Raises FileRefused where the whole cannot be read.
    """
    table = table_of_text(name, text)
    table.require("symbol", "ex_date")
    symbols, ex_dates = columns.texts(table, "symbol"), columns.days(table, "ex_date")
    pay_dates = _column(table, "pay_date", len(symbols))
    amounts, ratios = _decimals(table, "amount"), _decimals(table, "ratio")
    problems: dict[int | None, list[str]] = {}
    for one in table.problems:
        problems.setdefault(one.line, []).append(f"{one.what}; expected {one.expected}")
    return [
        ActionRow(line, symbol, ex_date, amount, ratio, pay_date, "; ".join(problems.get(line, ())))
        for line, symbol, ex_date, amount, ratio, pay_date in zip(
            table.lines, symbols, ex_dates, amounts, ratios, pay_dates, strict=True
        )
    ]


def rows_of_actions(symbol: str, dividends: Iterable[Dividend], splits: Iterable[Split]) -> list[ActionRow]:
    """Return what a source has for one instrument; lines count from 1."""
    given: list[Dividend | Split] = [*splits, *dividends]
    return [
        ActionRow(line, symbol, one.ex_date, ratio=Decimal(repr(one.ratio)))
        if isinstance(one, Split)
        else ActionRow(line, symbol, one.ex_date, amount=Decimal(repr(one.amount)), pay_date=one.pay_date)
        for line, one in enumerate(given, 1)
    ]


def import_plan(rows: Sequence[ActionRow]) -> ImportPlan:
    """Return what each row would do, changing nothing, in two queries.

    A row is matched by its instrument, kind and date; the second dividend of a date with the second that is known.
    A blank pay date leaves a known one as it is.
    """
    instruments = {one.symbol: one for one in Instrument.objects.filter(symbol__in={row.symbol for row in rows})}
    known: dict[tuple[int, str, dt.date, int], CorporateAction] = {}
    for action in CorporateAction.objects.filter(instrument__in=instruments.values()):
        known[action.instrument_id, action.kind, action.ex_date, action.number] = action
    seen: Counter[tuple[str, str, dt.date | None]] = Counter()
    outcomes = []
    for row in rows:
        seen[row.symbol, row.kind, row.ex_date] += 1
        number = seen[row.symbol, row.kind, row.ex_date]
        outcomes.append(_outcome(row, number, instruments.get(row.symbol), known))
    return ImportPlan(tuple(outcomes))


def import_confirm(
    *, rows: Sequence[ActionRow], source: str, origin: Origin, expected: str | None = None
) -> ImportPlan:
    """Do what `import_plan` says, in one transaction, then book what it corrects; refused rows are left out.

    Raises Conflict where something changed since the plan with the fingerprint `expected` was shown.
    """
    with transaction.atomic():
        for instrument in Instrument.objects.filter(symbol__in={row.symbol for row in rows}).order_by("pk"):
            Instrument.objects.select_for_update(no_key=True).get(pk=instrument.pk)
        plan = import_plan(rows)
        if expected is not None and plan.fingerprint != expected:
            raise Conflict("What is known changed since this was shown; nothing was imported.", hint="Look again.")
        touched = _write(plan, source, origin)
        event_record(
            kind="actions.imported",
            subject="actions",
            origin=origin,
            tenant_id=None,
            after={"source": source, "counts": plan.sentence, "rows": [str(one) for one in plan.outcomes[:200]]},
        )
    for instrument in touched:
        cells_settle(instrument=instrument, origin=origin)
    return plan


def _write(plan: ImportPlan, source: str, origin: Origin) -> list[Instrument]:
    """Announce what is new and correct what changed; return the instruments of corrections."""
    fresh: dict[int, list[CorporateAction]] = {}
    instruments: dict[int, Instrument] = {}
    corrected: dict[int, Instrument] = {}
    for one in plan.outcomes:
        row = one.row
        if one.what == CREATED and one.instrument is not None:
            instruments[one.instrument.pk] = one.instrument
            fresh.setdefault(one.instrument.pk, []).append(_announced(one.instrument, row, source, fresh))
        elif one.what == CHANGED and one.action is not None and one.instrument is not None:
            correction = Correction(amount=row.amount, ratio=row.ratio, pay_date=row.pay_date, source=source)
            told = Origin(origin.actor_id, origin.task, origin.reason or f"{source} says so")
            action_correct(action=one.action, correction=correction, origin=told)
            corrected[one.instrument.pk] = one.instrument
    for instrument_id, actions in fresh.items():
        actions_announce(instrument=instruments[instrument_id], actions=actions, origin=origin)
    return list(corrected.values())


def _announced(
    instrument: Instrument, row: ActionRow, source: str, fresh: dict[int, list[CorporateAction]]
) -> CorporateAction:
    same = {"kind": row.kind, "ex_date": row.ex_date}
    known = CorporateAction.objects.filter(instrument=instrument, **same).count()
    beside = sum(one.kind == row.kind and one.ex_date == row.ex_date for one in fresh.get(instrument.pk, ()))
    terms = (
        {"ratio": checked_terms(row.kind, "ratio", row.ratio)}
        if row.ratio is not None
        else {"amount": checked_terms(row.kind, "amount", row.amount or Decimal(0)), "pay_date": row.pay_date}
    )
    return CorporateAction(instrument=instrument, number=known + beside + 1, source=source, **same, **terms)


def _outcome(
    row: ActionRow,
    number: int,
    instrument: Instrument | None,
    known: dict[tuple[int, str, dt.date, int], CorporateAction],
) -> Outcome:
    problem = row.problem or _problem(row, instrument)
    if problem or instrument is None or row.ex_date is None:
        return Outcome(row, REFUSED, problem)
    action = known.get((instrument.pk, row.kind, row.ex_date, number))
    if action is None:
        return Outcome(row, CREATED, "", instrument)
    try:
        correction = Correction(amount=row.amount, ratio=row.ratio, pay_date=row.pay_date)
        changes = correction.changes_of(action)
    except Refused as refusal:
        return Outcome(row, REFUSED, refusal.message)
    if not changes:
        return Outcome(row, UNCHANGED, "", instrument, action)
    was = ", ".join(f"{name.replace('_', ' ')} was {getattr(action, name)}" for name in changes)
    return Outcome(row, CHANGED, was, instrument, action)


def _problem(row: ActionRow, instrument: Instrument | None) -> str:
    if (row.amount is None) == (row.ratio is None):
        return "a dividend has an amount, a split a ratio; expected one of them"
    if instrument is None:
        return f"no instrument has the symbol {row.symbol!r}; expected one that is in the console"
    value = row.ratio if row.ratio is not None else row.amount
    if value is None or not value.is_finite() or value <= 0:
        return f"{value} is no number above 0"
    if row.ex_date is not None and row.pay_date is not None and row.pay_date < row.ex_date:
        return f"pay_date {row.pay_date} is before ex_date {row.ex_date}"
    if row.ratio is not None and row.ratio == 1:
        return "a split of 1 for 1 changes nothing"
    return ""


def _column(table: Table, name: str, length: int) -> list[dt.date | None]:
    if name not in table.columns:
        return [None] * length
    return columns.days(table, name, blank_allowed=True)


def _decimals(table: Table, name: str) -> list[Decimal | None]:
    """Return a column of numbers that may be blank, exactly as written; what is none is noted in its row."""
    if name not in table.columns:
        return [None] * len(table)
    found: list[Decimal | None] = []
    for row, cell in enumerate(table.columns[name]):
        text = str(cell).strip()
        if not text:
            found.append(None)
            continue
        value = Decimal(text) if columns.NUMBER.fullmatch(text) else None
        if value is None:
            table.report(row, f"{name} is {text!r}", "a number above 0")
        found.append(value)
    return found
