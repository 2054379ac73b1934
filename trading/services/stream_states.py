"""Who follows a stream, and how it stands. One process at a time, by a lease that it renews.

A stream is an account's, told by its broker, or a source's, of prices that all tenants share.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from portfolios.models import BrokerAccount
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.models import BrokerConnection, Connection, PriceConnection
from volbal.common import clock

ORIGIN = Origin(task="streams")
# A process that was killed leaves its streams to others after this time.
LEASE = dt.timedelta(seconds=30)
SHOWN_CHARACTERS = 240
State = Connection.State
# Whose stream it is: an account, or a source of prices by its name.
Streamed = BrokerAccount | str


def stream_claim(*, of: Streamed, owner: str) -> bool:
    """Take a stream for a process, or renew that it has it; return False where another one follows it."""
    if isinstance(of, BrokerAccount):
        BrokerConnection.objects.get_or_create(account=of, defaults={"tenant_id": of.tenant_id})
    else:
        PriceConnection.objects.get_or_create(source=of)
    moment = clock.now()
    free = Q(owner=owner) | Q(lease_until__isnull=True) | Q(lease_until__lte=moment)
    claimed = _row(of).filter(free).update(owner=owner, lease_until=moment + LEASE)
    return claimed == 1


def stream_release(*, of: Streamed, owner: str) -> None:
    """Let go of a stream, so that another process may follow it at once."""
    _row(of).filter(owner=owner).update(state=State.STOPPED, state_at=clock.now(), owner="", lease_until=None)


def stream_connected(*, of: Streamed) -> None:
    """Note that the stream is followed from now on; the event is written once for each time it comes back."""
    _change(of, State.CONNECTED, kind="stream.connected")


def stream_lost(*, of: Streamed, error: str, is_refused: bool = False) -> None:
    """Note that the stream was lost, or that we were not let in, and why.

    The event is written when it stood otherwise before: an attempt that fails like the last one is no news.
    """
    state = State.REFUSED if is_refused else State.WAITING
    told = error[:SHOWN_CHARACTERS]
    _change(of, state, kind="stream.lost", error=told, error_at=clock.now(), losses=F("losses") + 1)


def stream_heard(*, of: Streamed, messages: int, refused: int = 0, refusal: str = "") -> None:
    """Count messages that were read, and those that could not be, with the last one's reason."""
    changes: dict[str, Any] = {"messages": F("messages") + messages, "last_message_at": clock.now()}
    if refused:
        changes |= {"refused_messages": F("refused_messages") + refused, "refusal": refusal[:SHOWN_CHARACTERS]}
    _row(of).update(**changes)


def _change(of: Streamed, state: State, *, kind: str, **more: Any) -> None:
    with transaction.atomic():
        row = _row(of).select_for_update(no_key=True).get()
        _row(of).update(state=state, **({"state_at": clock.now()} if row.state != state else {}), **more)
        if row.state == state:
            return
        event_record(
            kind=kind,
            subject=subject_of(of) if isinstance(of, BrokerAccount) else subject_of(row),
            origin=ORIGIN,
            tenant_id=of.tenant_id if isinstance(of, BrokerAccount) else None,
            before={"stream": row.state},
            after={"stream": state} | ({"error": more["error"]} if "error" in more else {}),
        )


def _row(of: Streamed) -> QuerySet[Any]:
    if isinstance(of, BrokerAccount):
        return BrokerConnection.objects.filter(account=of)
    return PriceConnection.objects.filter(source=of)
