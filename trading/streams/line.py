"""One account's stream, followed by a thread of its own until told to end."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connections

from portfolios.models import BrokerAccount
from trading import tasks
from trading.brokers.base import BrokerAccessError, BrokerUnreachableError, BrokerUpdate
from trading.brokers.registry import broker_of
from trading.services.broker_updates import broker_update_apply
from trading.services.live import portfolio_publish
from trading.services.stream_states import (
    stream_claim,
    stream_connected,
    stream_heard,
    stream_lost,
    stream_release,
)
from volbal.common.errors import VolbalError
from volbal.common.starting import task_start
from volbal.common.tenancy import tenant_scope

# Another process has it, or had it and was killed; keys that were refused are not better a second later.
CLAIM_SECONDS, REFUSED_SECONDS, DATABASE_SECONDS = 5.0, 60.0, 1.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
RENEW_SECONDS = 5.0

logger = logging.getLogger(__name__)


class AccountLine(threading.Thread):
    """Follow an account's stream, again and again with growing pauses, and put what it tells onto our orders."""

    def __init__(self, account: BrokerAccount, owner: str) -> None:
        super().__init__(name=f"stream-{account.pk}", daemon=True)
        self._account_id, self._tenant_id, self._owner = account.pk, account.tenant_id, owner
        self._ended = threading.Event()
        self._failures = 0
        self._renewed = 0.0

    def end(self) -> None:
        """Stop at the next message, or at the next sign that the line lives."""
        self._ended.set()

    def run(self) -> None:
        """Follow until told to end, then leave it to others."""
        pause = 0.0
        with tenant_scope(self._tenant_id):
            while not self._ended.wait(pause):
                try:
                    pause = self.follow_once()
                except DatabaseError:
                    logger.exception("the stream of account %s cannot be noted; trying again", self._account_id)
                    connections.close_all()
                    pause = DATABASE_SECONDS
            self._leave()
        connections.close_all()

    def follow_once(self) -> float:
        """Follow the stream once, from its opening to its end; return how many seconds to wait before the next."""
        account = BrokerAccount.objects.get(pk=self._account_id)
        if not stream_claim(of=account, owner=self._owner):
            return CLAIM_SECONDS
        try:
            with _opened(account) as updates:
                self._follow(account, updates)
        except (BrokerAccessError, VolbalError) as refusal:
            stream_lost(of=account, error=str(refusal), is_refused=True)
            return REFUSED_SECONDS
        except BrokerUnreachableError as silence:
            stream_lost(of=account, error=str(silence))
            return self._pause()
        return 0.0

    def _follow(self, account: BrokerAccount, updates: Iterator[BrokerUpdate]) -> None:
        stream_connected(of=account)
        # What happened while nobody listened is learned by asking.
        task_start(tasks.send_orders, account.tenant_id, account.pk)
        for update in updates:
            if not self._renew(account):
                return
            if update != BrokerUpdate():
                self._failures = 0
                self._take(account, update)
            if self._ended.is_set():
                return
        raise BrokerUnreachableError("the broker ended the stream")

    def _take(self, account: BrokerAccount, update: BrokerUpdate) -> None:
        """Put an update onto our orders, then wake whoever learns the rest by asking."""
        doubtful = update.doubtful
        stream_heard(
            of=account, messages=1, refused=int(doubtful is not None), refusal=doubtful.why if doubtful else ""
        )
        fill = broker_update_apply(account=account, update=update)
        if fill is not None:
            portfolio_publish(portfolio_id=fill.order.cell.portfolio_id, kind="orders", fills=[fill])
        if doubtful is not None or (update.order is not None and not update.order.is_open):
            task_start(tasks.send_orders, account.tenant_id, account.pk)

    def _renew(self, account: BrokerAccount) -> bool:
        """Renew the lease from time to time; return False where another process has it by now."""
        if time.monotonic() - self._renewed < RENEW_SECONDS:
            return True
        self._renewed = time.monotonic()
        return stream_claim(of=account, owner=self._owner)

    def _pause(self) -> float:
        """Return a pause that doubles with each failure in a row, spread so that lines do not come back together."""
        self._failures += 1
        longest = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS)
        return longest * random.uniform(0.5, 1.0)

    def _leave(self) -> None:
        try:
            stream_release(of=BrokerAccount.objects.get(pk=self._account_id), owner=self._owner)
        except DatabaseError:
            # Its lease runs out by itself.
            logger.exception("the stream of account %s was left without a note", self._account_id)


@contextmanager
def _opened(account: BrokerAccount) -> Iterator[Iterator[BrokerUpdate]]:
    """Open an account's stream and leave it afterwards; one that holds nothing open needs no closing."""
    updates = broker_of(account).stream()
    try:
        yield updates
    finally:
        close = getattr(updates, "close", None)
        if close is not None:
            close()
