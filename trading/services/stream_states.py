"""Who follows a broker's stream, and how it stands. One process at a time, by a lease that it renews."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from portfolios.models import BrokerAccount
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.models import BrokerConnection
from volbal.common import clock

ORIGIN = Origin(task="streams")
# A process that was killed leaves its streams to others after this time.
LEASE = dt.timedelta(seconds=30)
SHOWN_CHARACTERS = 240
State = BrokerConnection.State


def stream_claim(*, account: BrokerAccount, owner: str) -> bool:
    """Take an account's stream for a process, or renew that it has it; return False where another one follows it."""
    BrokerConnection.objects.get_or_create(account=account, defaults={"tenant_id": account.tenant_id})
    moment = clock.now()
    free = Q(owner=owner) | Q(lease_until__isnull=True) | Q(lease_until__lte=moment)
    claimed = _row(account).filter(free).update(owner=owner, lease_until=moment + LEASE)
    return claimed == 1


def stream_release(*, account: BrokerAccount, owner: str) -> None:
    """Let go of an account's stream, so that another process may follow it at once."""
    _row(account).filter(owner=owner).update(state=State.STOPPED, state_at=clock.now(), owner="", lease_until=None)


def stream_connected(*, account: BrokerAccount) -> None:
    """Note that the stream is followed from now on; the event is written once for each time it comes back."""
    _change(account, State.CONNECTED, kind="stream.connected")


def stream_lost(*, account: BrokerAccount, error: str, is_refused: bool = False) -> None:
    """Note that the stream was lost, or that the broker did not let us in, and why.

    The event is written when it stood otherwise before: an attempt that fails like the last one is no news.
    """
    state = State.REFUSED if is_refused else State.WAITING
    told = error[:SHOWN_CHARACTERS]
    _change(account, state, kind="stream.lost", error=told, error_at=clock.now(), losses=F("losses") + 1)


def stream_heard(*, account: BrokerAccount, messages: int, refusal: str = "") -> None:
    """Count messages that were read, and one that could not be, with the reason."""
    changes: dict[str, Any] = {"messages": F("messages") + messages, "last_message_at": clock.now()}
    if refusal:
        changes |= {"refused_messages": F("refused_messages") + 1, "refusal": refusal[:SHOWN_CHARACTERS]}
    _row(account).update(**changes)


def _change(account: BrokerAccount, state: State, *, kind: str, **more: Any) -> None:
    with transaction.atomic():
        row = _row(account).select_for_update(no_key=True).get()
        _row(account).update(state=state, **({"state_at": clock.now()} if row.state != state else {}), **more)
        if row.state == state:
            return
        event_record(
            kind=kind,
            subject=subject_of(account),
            origin=ORIGIN,
            tenant_id=account.tenant_id,
            before={"stream": row.state},
            after={"stream": state} | ({"error": more["error"]} if "error" in more else {}),
        )


def _row(account: BrokerAccount) -> QuerySet[BrokerConnection]:
    return BrokerConnection.objects.filter(account=account)
