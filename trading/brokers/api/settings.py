"""What a broker that fetches orders can do, and how long it has to acknowledge them."""

from __future__ import annotations

from dataclasses import dataclass

from portfolios.models import BrokerAccount
from trading.brokers.account_settings import setting, settings_read
from trading.brokers.base import Capabilities, OrderType, TimeInForce

SECTION = "api"


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What `BrokerAccount.settings["api"]` holds."""

    lease_seconds: int = setting(
        60, 5, 3600, words="How long an order that was fetched and not acknowledged is kept from being offered again"
    )
    order_types: tuple[str, ...] = setting(tuple(str(one) for one in OrderType), words="What it takes")
    times_in_force: tuple[str, ...] = setting(tuple(str(one) for one in TimeInForce), words="How long orders may last")
    fractional_shares: bool = setting(True, words="It takes fractions of a share")
    extended_hours: bool = setting(False, words="It takes orders outside the regular session")
    reports_commission: bool = setting(True, words="It tells what orders cost")

    @property
    def capabilities(self) -> Capabilities:
        """Return what is refused before it is laid out, and what is not."""
        return Capabilities(
            order_types=frozenset(OrderType(one) for one in self.order_types),
            times_in_force=frozenset(TimeInForce(one) for one in self.times_in_force),
            fractional_shares=self.fractional_shares,
            extended_hours=self.extended_hours,
            reports_commission=self.reports_commission,
            reports_cash=True,
        )

    @classmethod
    def of(cls, account: BrokerAccount) -> ApiSettings:
        """Return an account's settings. Raises Refused naming what cannot be."""
        return settings_read(cls, account.settings.get(SECTION, {}), section=SECTION)
