"""How far prices are trusted (strategy 9): every limit in one place, with its default."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings
from django.core import checks


@dataclass(frozen=True, slots=True)
class PriceLimits:
    """Limits of what a price may look like. Ratios are fractions; an installation overrides them by PRICE_LIMITS.

    Raises ValueError on a limit that is not above 0.
    """

    max_quote_age_seconds: float = 30.0
    max_last_age_seconds: float = 3.0
    max_last_distance_ratio: float = 0.01
    max_spread_ratio: float = 0.01
    outlier_sigma: float = 10.0
    agreement_ratio: float = 0.01
    quarantine_ratio: float = 0.25
    recheck_bps: float = 20.0
    clock_ahead_seconds: float = 5.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0.0 < value < float("inf"):
                raise ValueError(f"{one.name} is {value}; expected a number above 0")


def price_limits() -> PriceLimits:
    """Return the limits of this installation. Raises TypeError or ValueError where PRICE_LIMITS names none there is."""
    return PriceLimits(**settings.PRICE_LIMITS)


def register_check() -> None:
    """Have `manage.py check`, and with it every start, refuse limits that name nothing or are not above 0."""
    checks.register(_check)


def _check(**_: Any) -> list[checks.CheckMessage]:
    try:
        price_limits()
    except (TypeError, ValueError) as error:
        known = ", ".join(one.name for one in fields(PriceLimits))
        return [checks.Error(f"PRICE_LIMITS cannot be: {error}", hint=f"It may name {known}.", id="trading.E001")]
    return []
