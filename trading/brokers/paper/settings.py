"""How a paper account behaves: what its orders cost beyond the quote, and what goes wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

from portfolios.models import BrokerAccount
from trading.brokers.account_settings import setting, settings_read

SECTION = "paper"


@dataclass(frozen=True, slots=True)
class PaperSettings:
    """What `BrokerAccount.settings["paper"]` holds. Rates are probabilities; by default nothing goes wrong."""

    seed: int = setting(0, 0, 2**31, words="The same seed has the same accidents")
    delay_seconds: float = setting(
        0.0, 0, 3600, words="At most this long before an order works, between its parts, and before a fill is told"
    )
    partial_fill_rate: float = setting(0.0, 0, 1, words="How often an order fills in parts")
    partial_fill_parts: int = setting(3, 2, 20, words="At most so many parts")
    slippage_bps: float = setting(0.0, 0, 1000, words="How much worse than the quote a fill is, never beyond a limit")
    reject_rate: float = setting(0.0, 0, 1, words="How often an order is refused")
    lost_answer_rate: float = setting(
        0.0, 0, 1, words="How often a question about an order is lost, half before it is carried out and half after"
    )
    duplicate_rate: float = setting(0.0, 0, 1, words="How often a fill is told twice")
    shuffle: bool = setting(False, words="Tell fills out of order")
    disconnect_rate: float = setting(0.0, 0, 1, words="How often a question finds the line down")
    disconnect_seconds: float = setting(5.0, 0, 3600, words="How long the line then stays down")

    @property
    def line_may_fail(self) -> bool:
        """Whether questions and answers can be lost."""
        return self.lost_answer_rate > 0.0 or self.disconnect_rate > 0.0

    @property
    def reports_wait(self) -> bool:
        """Whether fills are told later than they happen."""
        return self.shuffle or self.delay_seconds > 0.0

    @classmethod
    def of(cls, account: BrokerAccount) -> PaperSettings:
        """Return an account's settings. Raises Refused naming what cannot be."""
        return settings_read(cls, account.settings.get(SECTION, {}), section=SECTION)
