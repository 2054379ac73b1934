"""All streams of the installation: a line for each account whose broker streams, as accounts come, change and go."""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Any

from django.db import DatabaseError, connections

from portfolios.models import BrokerAccount
from trading.brokers.registry import broker_of
from trading.streams.line import AccountLine
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant

LOOK_SECONDS = 5.0
STOP_SECONDS = 10.0

logger = logging.getLogger(__name__)


class StreamRunner(threading.Thread):
    """Keep one line for each account that streams. Several runners share the accounts by their leases."""

    def __init__(self) -> None:
        super().__init__(name="streams", daemon=True)
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._ended = threading.Event()
        self._lines: dict[int, tuple[Any, AccountLine]] = {}

    def run(self) -> None:
        """Look for accounts until told to end, then end their lines."""
        pause = 0.0
        while not self._ended.wait(pause):
            pause = LOOK_SECONDS
            try:
                self.look()
            except DatabaseError:
                logger.exception("could not read the accounts that stream; trying again")
            # What is looked for every few seconds needs no connection in between.
            connections.close_all()
        for _, line in self._lines.values():
            line.end()
        for _, line in self._lines.values():
            line.join(STOP_SECONDS)

    def end(self) -> None:
        """Follow nothing more."""
        self._ended.set()

    def look(self) -> None:
        """Start lines that are missing or have died, and end those whose account changed or streams no more."""
        with every_tenant():
            wanted = {account.pk: account for account in BrokerAccount.objects.all() if _streams(account)}
        for account_id, (known, line) in list(self._lines.items()):
            account = wanted.get(account_id)
            if account is None or _face(account) != known:
                line.end()
            if not line.is_alive():
                del self._lines[account_id]
        for account_id in wanted.keys() - self._lines.keys():
            line = AccountLine(wanted[account_id], self._owner)
            self._lines[account_id] = (_face(wanted[account_id]), line)
            line.start()


def _streams(account: BrokerAccount) -> bool:
    try:
        return broker_of(account).capabilities.streams
    except Refused:
        # Whoever trades with it is told; there is nothing to follow.
        return False


def _face(account: BrokerAccount) -> tuple[Any, ...]:
    """Return what a line depends on."""
    return account.broker, account.is_live, account.credentials, repr(account.settings)
