"""Reports of brokers that are not taken: kept as they came, counted, and shown to a person."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.db.models import F

from portfolios.models import BrokerAccount
from portfolios.services.changes import lock
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.brokers.base import BrokerOrder, CashReport, DoubtfulReport, FillReport
from trading.models import RefusedReport
from volbal.common import clock

ORIGIN = Origin(task="broker")
# How often and from where a report came says nothing about what it is.
NOT_ITS_CONTENT = frozenset({"cursor", "read_from"})
# What is longer was never meant to be a report; as much as this is kept of it.
MOST_CHARACTERS = 100_000

logger = logging.getLogger(__name__)


def doubtful_keep(*, account: BrokerAccount, told: DoubtfulReport) -> RefusedReport:
    """Keep what an adapter could not read, for a person; the same again is counted."""
    return report_refuse(account=account, payload=told, code=told.code, sentence=f"It cannot be taken: {told.why}")


def report_refuse(
    *, account: BrokerAccount, payload: FillReport | BrokerOrder | CashReport | DoubtfulReport, code: str, sentence: str
) -> RefusedReport:
    """Keep a report that makes no sense, as it came, with the reason; the same one again is counted."""
    kept = payload_of(payload)
    with transaction.atomic():
        lock(account)
        known = RefusedReport.objects.filter(account=account, fingerprint=_fingerprint(kept))
        if known.update(repetitions=F("repetitions") + 1, last_at=clock.now()) == 1:
            return known.get()
        row = RefusedReport.objects.create(
            tenant_id=account.tenant_id,
            account=account,
            code=code,
            sentence=sentence[:400],
            payload=kept,
            fingerprint=_fingerprint(kept),
            last_at=clock.now(),
        )
        event_record(
            kind="report.refused",
            subject=subject_of(account),
            origin=ORIGIN,
            tenant_id=account.tenant_id,
            after={"report": row.pk, "code": code, "sentence": row.sentence},
        )
    logger.warning("a report of account %s was refused: %s", account.pk, sentence)
    return row


def payload_of(report: Any) -> dict[str, Any]:
    """Return a report as JSON that every database keeps, with what it is under `kind`."""
    for kind, told in (("fill", FillReport), ("order", BrokerOrder), ("cash", CashReport)):
        if isinstance(report, told):
            fields = {name: _plain(value) for name, value in asdict(report).items()}
            own = {f"{kind}_kind": fields.pop("kind")} if "kind" in fields else {}
            return {"kind": kind, **fields, **own}
    if isinstance(report, DoubtfulReport):
        return {"kind": "doubtful", "content": _whole(_plain(report.content)), "read_from": report.read_from}
    raise TypeError(f"{type(report).__name__} is no report")


def _whole(content: Any) -> Any:
    text = content if isinstance(content, str) else json.dumps(content)
    return content if len(text) <= MOST_CHARACTERS else {"first": text[:MOST_CHARACTERS], "length": len(text)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(_stored(name)): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, bool | int):
        return value
    return value.isoformat() if isinstance(value, dt.datetime) else _stored(value)


def _stored(value: Any) -> Any:
    """Return a text as it is, or under `escaped` where no database keeps it: zero characters, halves of characters."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    escaped = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return text if escaped == text else {"escaped": escaped}


def _fingerprint(payload: Mapping[str, Any]) -> str:
    content = {name: value for name, value in payload.items() if name not in NOT_ITS_CONTENT}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
