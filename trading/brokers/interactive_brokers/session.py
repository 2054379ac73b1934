"""A line to the gateway of Interactive Brokers: opened for one question, closed after it.

A gateway knows its clients by number, and an order can be cancelled only under the number that placed it. So each
account has one number, and one process at a time speaks under it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from portfolios.models import BrokerAccount
from trading.brokers.base import BrokerAccessError, BrokerBusyError, BrokerUnreachableError
from trading.brokers.interactive_brokers.settings import LIVE_PORT, PAPER_PORT, InteractiveBrokersSettings
from volbal.common.exclusive import only_one

CONNECT_SECONDS, ANSWER_SECONDS = 4.0, 6.0
# Numbers of accounts that trade no real money begin so.
PAPER_PREFIX = "D"


def library() -> Any:
    """Return ib_async. Raises BrokerAccessError, saying how to install it, where it is missing."""
    try:
        import ib_async
    except ModuleNotFoundError:
        raise BrokerAccessError(
            "Accounts at Interactive Brokers need ib_async, which is not installed: "
            "python3 requirements/install.py interactive-brokers"
        ) from None
    return ib_async


@contextmanager
def session(account: BrokerAccount) -> Iterator[tuple[Any, str]]:
    """Open a line for one question and yield it with the account's number at the broker.

    Raises BrokerBusyError where another process speaks for the account or nobody answers at the gateway: nothing was
    sent then. A line that is lost afterwards raises BrokerUnreachableError.
    """
    ib_async = library()
    with only_one("interactive brokers", account.pk) as is_ours, _loop():
        if not is_ours:
            raise BrokerBusyError("another process speaks to Interactive Brokers for this account")
        line = ib_async.IB()
        line.RequestTimeout = ANSWER_SECONDS
        _connect(line, account)
        try:
            yield line, account_number(line, account)
        except (ConnectionError, TimeoutError, OSError) as lost:
            raise BrokerUnreachableError(f"the line to the gateway was lost: {type(lost).__name__}") from None
        finally:
            line.disconnect()


def _connect(line: Any, account: BrokerAccount) -> None:
    settings = InteractiveBrokersSettings.of(account)
    try:
        line.connect(
            host=settings.host,
            port=settings.port or (LIVE_PORT if account.is_live else PAPER_PORT),
            clientId=settings.client_number,
            timeout=CONNECT_SECONDS,
            account=settings.account_number,
        )
    except (ConnectionError, TimeoutError, OSError) as silence:
        raise BrokerBusyError(
            f"no gateway of Interactive Brokers answers for account {account.name[:60]} ({type(silence).__name__}); "
            "start it, sign in there and let it take API connections"
        ) from None


def account_number(line: Any, account: BrokerAccount) -> str:
    """Return the account's number at the broker.

    Raises BrokerAccessError where it is not one that the gateway manages, or paper and live do not agree.
    """
    managed = [str(one) for one in line.managedAccounts() if one]
    only = managed[0] if len(managed) == 1 else ""
    chosen = InteractiveBrokersSettings.of(account).account_number or only
    if chosen not in managed:
        raise BrokerAccessError(
            f"the gateway manages {', '.join(managed) or 'no account'}; the settings of account {account.name[:60]} "
            "must name one of them as account_number"
        )
    if account.is_live == chosen.startswith(PAPER_PREFIX):
        kind = "a paper" if account.is_live else "a live"
        raise BrokerAccessError(f"{chosen} is {kind} account at the broker, and account {account.name[:60]} is not")
    return chosen


@contextmanager
def _loop() -> Iterator[None]:
    """Give the thread a loop of its own while it speaks: ib_async works on the thread's loop."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()
