"""How an account at Interactive Brokers is reached."""

from __future__ import annotations

from dataclasses import dataclass

from portfolios.models import BrokerAccount
from trading.brokers.account_settings import setting, settings_read

SECTION = "interactive_brokers"
PAPER_PORT, LIVE_PORT = 4002, 4001


@dataclass(frozen=True, slots=True)
class InteractiveBrokersSettings:
    """What `BrokerAccount.settings["interactive_brokers"]` holds: where its gateway is and who we are there."""

    host: str = setting("127.0.0.1", words="The machine of the gateway, or of Trader Workstation")
    port: int = setting(0, 0, 65_535, words=f"Its port; 0 is {PAPER_PORT} for paper and {LIVE_PORT} for live accounts")
    client_number: int = setting(71, 1, 999_999, words="Our number at the gateway, another for each account there")
    account_number: str = setting("", words="The account at the broker, needed where the gateway manages several")

    @classmethod
    def of(cls, account: BrokerAccount) -> InteractiveBrokersSettings:
        """Return an account's settings. Raises Refused naming what cannot be."""
        return settings_read(cls, account.settings.get(SECTION, {}), section=SECTION)
