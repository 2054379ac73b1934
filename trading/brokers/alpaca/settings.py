"""How an account at Alpaca is reached."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from portfolios.models import BrokerAccount
from trading.brokers.account_settings import setting, settings_read
from volbal.common.errors import Refused

SECTION = "alpaca"
REQUESTS_A_MINUTE = 200
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class AlpacaSettings:
    """What `BrokerAccount.settings["alpaca"]` holds. Other addresses than Alpaca's own are for paper accounts."""

    requests_a_minute: int = setting(
        REQUESTS_A_MINUTE, 2, 100_000, words="What Alpaca allows the account; a tenth is kept for cancels"
    )
    trading_url: str = setting("", words="Another address for orders, never in a live account")
    stream_url: str = setting("", words="Another address for the stream, never in a live account")

    def __post_init__(self) -> None:
        """Refuse an address that keys would reach unencrypted on another machine."""
        for name in ("trading_url", "stream_url"):
            address = getattr(self, name)
            place = urlsplit(address)
            if address and place.scheme not in ("https", "wss") and place.hostname not in LOOPBACK:
                raise Refused(f"{name} {address!r} would send keys unencrypted elsewhere.", code="broker_settings")

    @classmethod
    def of(cls, account: BrokerAccount) -> AlpacaSettings:
        """Return an account's settings. Raises Refused naming what cannot be, other addresses in a live account too."""
        settings = settings_read(cls, account.settings.get(SECTION, {}), section=SECTION)
        if account.is_live and (settings.trading_url or settings.stream_url):
            raise Refused(
                f"Account {account.name} trades live and goes to Alpaca's own addresses only.", code="endpoint_in_live"
            )
        return settings
