"""Alpaca's Market Data API: one line for the whole installation, whose prices all tenants share.

Its keys are the installation's own and come from the environment: what tenants show to their brokers fetches nothing
for others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import requests
from django.conf import settings

from trading.brokers.alpaca.client import TimeLimited
from trading.brokers.rates import RateLimit
from volbal.common.errors import VolbalError

ADDRESS = "https://data.alpaca.markets"
# A question for quotes is given up by who asked after five seconds.
CONNECT_SECONDS, ANSWER_SECONDS = 1.5, 3.0
SHOWN_CHARACTERS = 200


class DataUnreachableError(VolbalError):
    """Alpaca's data gave no answer that could be used; asking again may help."""

    code = "data_unreachable"
    retry = True


class AlpacaData:
    """Ask for market data within Alpaca's limit, each question once."""

    def __init__(self) -> None:
        if not (settings.ALPACA_DATA_KEY_ID and settings.ALPACA_DATA_SECRET_KEY):
            raise DataUnreachableError(
                "This installation has no keys for Alpaca's data.",
                code="no_data_keys",
                hint="Set ALPACA_DATA_KEY_ID and ALPACA_DATA_SECRET_KEY in its environment.",
            )
        digest = hashlib.sha256(settings.ALPACA_DATA_KEY_ID.encode()).hexdigest()[:16]
        self.limit = RateLimit(f"alpaca-data:{digest}", limit=settings.ALPACA_DATA_REQUESTS_A_MINUTE, reserve=0)

    def get(self, path: str, params: Mapping[str, Any], *, version: str = "v2") -> dict[str, Any]:
        """Return an answer. Raises DataUnreachableError without one, saying why."""
        from alpaca.common.exceptions import APIError

        if not self.limit.take():
            raise DataUnreachableError(f"Alpaca's limit of {self.limit.limit} data requests a minute is used up.")
        try:
            answer = _line(settings.ALPACA_DATA_URL, settings.ALPACA_DATA_KEY_ID, settings.ALPACA_DATA_SECRET_KEY).get(
                path, dict(params), api_version=version
            )
        except APIError as fault:
            if fault.status_code == 429:
                self.limit.close(60.0)
            raise DataUnreachableError(f"Alpaca's data answered {fault.status_code}: {_said(fault)}") from None
        except requests.RequestException as silence:
            raise DataUnreachableError(f"Alpaca's data gave no answer: {type(silence).__name__}") from None
        if not isinstance(answer, dict):
            raise DataUnreachableError(f"Alpaca's data answered {path} with no object.")
        return answer

    def pages(self, path: str, params: Mapping[str, Any], *, version: str = "v2") -> Iterator[dict[str, Any]]:
        """Yield an answer's pages to the last. Raises as `get` does."""
        token: Any = None
        while True:
            answer = self.get(path, {**params, **({} if token is None else {"page_token": token})}, version=version)
            yield answer
            token = answer.get("next_page_token")
            if not token:
                return


@lru_cache(maxsize=2)
def _line(address: str, key_id: str, secret_key: str) -> Any:
    from alpaca.data.historical.stock import StockHistoricalDataClient

    line = StockHistoricalDataClient(key_id, secret_key, raw_data=True, url_override=address or ADDRESS)
    # It would wait and repeat what the limit refused.
    line._retry = 0
    for scheme in ("https://", "http://"):
        line._session.mount(scheme, TimeLimited(CONNECT_SECONDS, ANSWER_SECONDS))
    return line


def _said(fault: Any) -> str:
    try:
        return str(fault.message)[:SHOWN_CHARACTERS]
    except (ValueError, KeyError, TypeError):
        return "nothing that can be read"
