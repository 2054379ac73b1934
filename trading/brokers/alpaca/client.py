"""How Alpaca is spoken to: keys, addresses, time limits, its rate limit, and what its answers mean.

alpaca-py is loaded when an account first needs it: it brings a second's worth of imports.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

from portfolios.credentials import Credentials, credentials_open
from portfolios.models import BrokerAccount
from trading.brokers.alpaca.settings import AlpacaSettings
from trading.brokers.base import (
    DUPLICATE_ORDER,
    BrokerAccessError,
    BrokerBusyError,
    BrokerRejectedError,
    BrokerUnreachableError,
)
from trading.brokers.rates import RateLimit
from volbal.common.errors import Refused

# Together below the time after which a sender counts as killed and its order is asked about.
CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 6.0
# One in so many requests is kept for cancels.
RESERVED_PART = 10
# A read that failed at once is made again this often at most, after random pauses that grow to the longest. One that
# took longer is not: whoever waits for it has waited enough.
READS, READ_AGAIN_WITHIN_SECONDS = 3, 2.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 0.5
LIVE, PAPER = "https://api.alpaca.markets", "https://paper-api.alpaca.markets"
SHOWN_CHARACTERS = 200

# What Alpaca's refusals say, in the order they are looked for; its own codes name whole families of reasons.
_REASONS = (
    ("client_order_id must be unique", DUPLICATE_ORDER),
    ("client order id must be unique", DUPLICATE_ORDER),
    ("insufficient buying power", "insufficient_funds"),
    ("insufficient qty", "insufficient_shares"),
    ("not allowed to short", "insufficient_shares"),
    ("cannot be sold short", "insufficient_shares"),
    ("wash trade", "wash_trade"),
    ("not fractionable", "fraction_not_allowed"),
    ("fractional", "fraction_not_allowed"),
    ("sub-penny", "price_increment"),
    ("not tradable", "not_tradable"),
    ("is not active", "not_tradable"),
    ("asset", "unknown_symbol"),
    ("could not find", "unknown_symbol"),
    ("market is closed", "market_closed"),
    ("outside of market hours", "market_closed"),
    ("not authorized to trade", "account_blocked"),
    ("trading is blocked", "account_blocked"),
    ("account is restricted", "account_blocked"),
    ("day trad", "day_trading"),
)
_DENIED = re.compile(r"forbidden\.?$|unauthorized\.?$|not authorized\.?$|access key verification failed", re.IGNORECASE)
# The family of Alpaca's own codes for requests that it does not let in.
_DENIED_CODE = "401"

_kept = threading.local()


class AlpacaClient:
    """One account's line to Alpaca. Each call counts against the limit and has a time limit; reads are repeated."""

    def __init__(self, account: BrokerAccount) -> None:
        self.account = account
        self.settings = AlpacaSettings.of(account)
        self.base_url = self.settings.trading_url or (LIVE if account.is_live else PAPER)

    @cached_property
    def credentials(self) -> Credentials:
        """Return the account's keys. Raises BrokerAccessError, saying what to do, where none can be read."""
        return credentials_of(self.account)

    @cached_property
    def limit(self) -> RateLimit:
        """Return the account's share of Alpaca's limit."""
        digest = hashlib.sha256(self.credentials["key_id"].encode()).hexdigest()[:16]
        allowed = self.settings.requests_a_minute
        return RateLimit(f"alpaca:{digest}", limit=allowed, reserve=max(allowed // RESERVED_PART, 1))

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, urgent: bool = False) -> Any:
        """Ask, and again where no answer came at once. Raises BrokerUnreachableError or one of its kinds.

        Raises BrokerRejectedError where Alpaca says no.
        """
        again = Retrying(
            retry=retry_if_exception(_is_silence),
            stop=stop_after_attempt(READS) | stop_after_delay(READ_AGAIN_WITHIN_SECONDS),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            reraise=True,
        )
        return again(self._call, "GET", path, dict(params or {}), urgent)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send once. Raises as `get` does; without an answer it may have happened."""
        return self._call("POST", path, dict(body), urgent=False)

    def delete(self, path: str) -> Any:
        """Ask for something to be taken away, from the reserve too."""
        return self._call("DELETE", path, {}, urgent=True)

    def _call(self, method: str, path: str, data: dict[str, Any], urgent: bool) -> Any:
        from alpaca.common.exceptions import APIError

        client = self._line()
        if not self.limit.take(urgent=urgent):
            raise BrokerBusyError(f"Alpaca's limit of {self.limit.limit} requests a minute is used up for now")
        try:
            return getattr(client, method.lower())(path, data)
        except APIError as answer:
            raise self._meaning(answer) from None
        except requests.RequestException as silence:
            raise BrokerUnreachableError(f"Alpaca gave no answer to {method} {path}: {_plain(silence)}") from None

    def _line(self) -> Any:
        """Return alpaca-py's client, kept for each thread so that its connection stays open."""
        lines: dict[tuple[str, str], Any] = _kept.__dict__.setdefault("lines", {})
        place = (self.base_url, hashlib.sha256("\n".join(self.credentials.values.values()).encode()).hexdigest())
        if place not in lines:
            lines[place] = self._connect()
        return lines[place]

    def _connect(self) -> Any:
        from alpaca.trading.client import TradingClient

        client = TradingClient(
            api_key=self.credentials["key_id"],
            secret_key=self.credentials["secret_key"],
            paper=not self.account.is_live,
            raw_data=True,
            url_override=self.base_url,
        )
        # It would repeat what the limit refused, orders included.
        client._retry = 0
        for scheme in ("https://", "http://"):
            client._session.mount(scheme, TimeLimited(CONNECT_SECONDS, ANSWER_SECONDS))
        return client

    def _meaning(self, answer: Any) -> Exception:
        status, said = answer.status_code, _said_of(answer)
        message = said.message
        if status == 429:
            self.limit.close(_seconds_to_reset(answer.response))
            return BrokerBusyError("Alpaca says there were too many requests, and did not do this one")
        if status == 401 or (status == 403 and said.is_alpacas and said.is_shut_door):
            return BrokerAccessError(
                f"Alpaca does not accept the keys of account {self.account.name[:60]} ({message[:60]}). Set them anew "
                f"in the console, those for {'live' if self.account.is_live else 'paper'} trading."
            )
        if status is None or status >= 500 or status == 408 or not said.is_alpacas:
            # What is not Alpaca's own word, a proxy's page for example, says nothing of an order.
            return BrokerUnreachableError(f"Alpaca answered {status}: {message}")
        return BrokerRejectedError(message, code="not_found" if status == 404 else reason_code(message))


class TimeLimited(HTTPAdapter):
    """Gives up on an answer in time, whatever the caller forgot; repeats nothing."""

    def __init__(self, connect_seconds: float, answer_seconds: float) -> None:
        super().__init__()
        self._limits = (connect_seconds, answer_seconds)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Send with a time limit."""
        options["timeout"] = options.get("timeout") or self._limits
        return super().send(request, *arguments, **options)


def credentials_of(account: BrokerAccount) -> Credentials:
    """Return an account's keys. Raises BrokerAccessError, saying what to do, where none can be read."""
    if not account.credentials:
        raise BrokerAccessError(f"Account {account.name} has no keys for Alpaca; set them in the console.")
    try:
        credentials = credentials_open(account.credentials)
    except Refused as refusal:
        raise BrokerAccessError(f"Account {account.name}: {refusal}") from None
    if not {"key_id", "secret_key"} <= set(credentials.values):
        raise BrokerAccessError(f"Account {account.name} lacks key_id or secret_key; set its keys in the console.")
    return credentials


def reason_code(message: str) -> str:
    """Return a stable code for the sentence with which Alpaca refuses."""
    lower = message.lower()
    return next((code for text, code in _REASONS if text in lower), "rejected")


@dataclass(frozen=True, slots=True)
class _Said:
    """The body of a refusal: its sentence, and Alpaca's own code where it has one."""

    message: str
    code: str = ""
    is_alpacas: bool = True

    @property
    def is_shut_door(self) -> bool:
        """Whether a 403 is about who asks, not about an order: reasons against one have a code of their own."""
        if _DENIED.search(self.message) or self.code.startswith(_DENIED_CODE):
            return True
        return not self.code and reason_code(self.message) == "rejected"


def _said_of(answer: Any) -> _Said:
    try:
        body = json.loads(str(answer))
        return _Said(str(body["message"])[:SHOWN_CHARACTERS], str(body.get("code") or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _Said(f"an answer of {len(str(answer))} characters that is not Alpaca's", is_alpacas=False)


def _is_silence(error: BaseException) -> bool:
    """Return whether a read may find an answer when it is made again: not where it is not let in, or not sent."""
    return isinstance(error, BrokerUnreachableError) and not isinstance(error, BrokerBusyError | BrokerAccessError)


def _plain(error: Exception) -> str:
    return type(error).__name__


def _seconds_to_reset(response: requests.Response | None) -> float:
    text = "" if response is None else response.headers.get("X-Ratelimit-Reset", "")
    return float(text) - time.time() if text.isdecimal() else 1.0
