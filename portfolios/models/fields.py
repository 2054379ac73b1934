"""The kinds of stored number. See volbal.common.numbers for how they meet float64."""

from __future__ import annotations

from typing import Any

from django.db import models


def money_field(**options: Any) -> models.DecimalField[Any, Any]:
    """Return a column for an amount of currency, to the cent."""
    return models.DecimalField(max_digits=20, decimal_places=2, **options)


def price_field(**options: Any) -> models.DecimalField[Any, Any]:
    """Return a column for a price, to 1e-6."""
    return models.DecimalField(max_digits=20, decimal_places=6, **options)


def shares_field(**options: Any) -> models.DecimalField[Any, Any]:
    """Return a column for a number of shares, to 1e-6."""
    return models.DecimalField(max_digits=20, decimal_places=6, **options)


def exact_shares_field(**options: Any) -> models.DecimalField[Any, Any]:
    """Return a column for a number of shares as its broker told it, to 1e-12."""
    return models.DecimalField(max_digits=24, decimal_places=12, **options)
