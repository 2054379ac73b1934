"""Taking back what a person booked, by opposite entries; history is never edited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import ExitStack

from django.db import transaction

from portfolios.models import LedgerEntry
from portfolios.services.amounts import require_held
from portfolios.services.changes import changing
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from portfolios.services.transfers import Holder, cash_of, holder_key
from volbal.common.errors import Refused

Kind = LedgerEntry.Kind
# What a broker reported is a fact: it is corrected by an adjustment, not taken back.
REVERSIBLE = frozenset({Kind.DEPOSIT, Kind.WITHDRAWAL, Kind.TRANSFER, Kind.ADJUSTMENT})


def entry_reverse(*, entry: LedgerEntry, as_of: dt.datetime, origin: Origin) -> list[LedgerEntry]:
    """Book the opposite of an entry, once; a transfer's two legs together. Returns the new entries.

    Raises Refused for a kind that people do not book, an entry reversed before, a reversal itself, or where the
    money has been used meanwhile.
    """
    if entry.kind not in REVERSIBLE:
        raise Refused(
            f"Entry {entry.pk} is of kind {entry.get_kind_display().lower()}; only deposits, withdrawals, "
            "transfers and adjustments are reversed.",
            code="not_reversible",
            hint="Correct the cell with an adjustment.",
        )
    if entry.reverses_id is not None:
        raise Refused(f"Entry {entry.pk} is itself a reversal, of entry {entry.reverses_id}.", code="not_reversible")
    booked: list[LedgerEntry] = []
    with transaction.atomic(), ExitStack() as stack:
        for leg in sorted(_legs(entry), key=lambda leg: holder_key(_holder(leg))):
            booked.extend(_reverse(leg, stack, as_of, origin))
    return booked


def _legs(entry: LedgerEntry) -> Sequence[LedgerEntry]:
    rows = LedgerEntry.objects.select_related("account", "cell__portfolio__account", "cell__instrument")
    if entry.kind != Kind.TRANSFER:
        return [rows.get(pk=entry.pk)]
    cause = entry.key.rpartition(":")[0]
    return list(rows.filter(tenant_id=entry.tenant_id, key__in=(f"{cause}:from", f"{cause}:to")))


def _holder(entry: LedgerEntry) -> Holder:
    return entry.account if entry.cell is None else entry.cell


def _reverse(entry: LedgerEntry, stack: ExitStack, as_of: dt.datetime, origin: Origin) -> list[LedgerEntry]:
    change = stack.enter_context(changing(_holder(entry), kind="entry.reversed", origin=origin, as_of=as_of))
    movement = Movement(
        kind=entry.kind,
        key=f"reverse:{entry.pk}",
        cash=-entry.cash,
        shares=-entry.shares,
        receivable=-entry.receivable,
        price=entry.price,
        note=origin.reason,
        reverses_id=entry.pk,
    )
    held = {"cash": cash_of(change.row)}
    if entry.cell is not None:
        held |= {noun: getattr(change.row, noun) for noun in ("shares", "receivable")}
    booked = book(account=entry.account, owner=change.row, movements=[movement], as_of=as_of, origin=origin)
    if not booked:
        raise Refused(f"Entry {entry.pk} was reversed already; once is enough.", code="already_reversed")
    for noun, before in held.items():
        wanted = -getattr(movement, noun)
        if wanted > 0:
            require_held(change.row, noun, held=before, wanted=wanted)
    change.details |= {"entries": [row.pk for row in booked], "reverses": entry.pk}
    return booked
