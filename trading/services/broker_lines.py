"""Whether brokers answer: a silent one is left alone for growing pauses, so that it holds up nobody else."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from portfolios.models import BrokerAccount
from portfolios.services import Origin
from portfolios.services.changes import changing
from portfolios.services.events import event_record, subject_of
from trading.models import BrokerLine
from volbal.common import clock
from volbal.common.errors import Refused

ORIGIN = Origin(task="sending")
# The first pause is this long, each one after twice as long as the one before, up to the longest.
FIRST_PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 60
ERROR_LENGTH = 500


def pause_seconds(failed_in_a_row: int) -> int:
    """Return how long a broker is left alone after so many calls without an answer."""
    return int(min(FIRST_PAUSE_SECONDS * 2 ** min(failed_in_a_row - 1, 16), LONGEST_PAUSE_SECONDS))


def line_silent(*, account: BrokerAccount, error: Exception) -> None:
    """Keep that a broker gave no answer, and leave it alone for longer than the last time; the first is told."""
    moment = clock.now()
    with transaction.atomic():
        BrokerLine.objects.get_or_create(account=account, defaults={"tenant_id": account.tenant_id})
        line = BrokerLine.objects.select_for_update(no_key=True).get(account=account)
        line.failed_in_a_row += 1
        line.silent_since = moment if line.silent_since is None else line.silent_since
        line.next_attempt_at = moment + dt.timedelta(seconds=pause_seconds(line.failed_in_a_row))
        line.last_error = str(error)[:ERROR_LENGTH]
        line.save()
        if line.failed_in_a_row == 1:
            _tell(account, "broker.silent", {"error": line.last_error})


def line_answers(*, account: BrokerAccount) -> None:
    """Keep that a broker answered; one that had not is called as usual again, and that is told. One query otherwise."""
    if not BrokerLine.objects.filter(account=account, failed_in_a_row__gt=0).exists():
        return
    with transaction.atomic():
        line = BrokerLine.objects.select_for_update(no_key=True).get(account=account)
        since, failed = line.silent_since, line.failed_in_a_row
        if failed == 0:
            return
        line.failed_in_a_row, line.silent_since, line.next_attempt_at, line.last_error = 0, None, None, ""
        line.save()
        _tell(account, "broker.answers", {"silent_since": since, "failed_in_a_row": failed})


def line_retry(*, line: BrokerLine, origin: Origin) -> BrokerLine:
    """Call a silent broker again at once instead of after its pause. Raises Refused where it answers."""
    with changing(line, kind="broker.retried", origin=origin) as change:
        if change.row.next_attempt_at is None:
            raise Refused("The broker answers: there is no pause to end.", code="wrong_status")
        change.row.next_attempt_at = None
    return line


def _tell(account: BrokerAccount, kind: str, facts: dict[str, object]) -> None:
    event_record(kind=kind, subject=subject_of(account), origin=ORIGIN, tenant_id=account.tenant_id, after=facts)
