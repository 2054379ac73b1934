"""What an order costs by schedule, as it is stored and as the rule takes it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from volbal.common import numbers
from volbal.common.numbers import ZERO
from volbal.strategy import cents


@dataclass(frozen=True, slots=True)
class CommissionTerms:
    """A rate of the notional and an amount a share, at least and at most so much an order.

    `rate` is a fraction; `per_share`, `minimum` and `cap` are currency, `cap` None for none. `cap` is not below
    `minimum`.
    """

    rate: Decimal = Decimal("0.0001")
    per_share: Decimal = ZERO
    minimum: Decimal = ZERO
    cap: Decimal | None = None

    def commission(self, *, quantity: Decimal, notional: Decimal) -> Decimal:
        """Return what an order of `quantity` shares for `notional` costs, to the cent.

        Without an amount a share and a cap it is the rule's own commission (strategy 7).
        """
        # In float64 and rounded as the rule rounds, so that live and backtest agree to the cent.
        variable = numbers.money(
            float(cents(float(notional) * float(self.rate) + float(quantity) * float(self.per_share)))
        )
        asked = max(variable, self.minimum)
        return asked if self.cap is None else min(asked, self.cap)

    def rule_rate(self, price: Decimal) -> Decimal:
        """Return the rate that stands for both at a price; the cap is left out, so that nothing is overspent."""
        return self.rate + self.per_share / price if self.per_share else self.rate
