"""Where Decimal at rest and float64 in the rule meet.

The rule rounds money to cents, prices to 1e-6 and shares to steps of 1e-9 or coarser, so quantising its results here
loses nothing: `to_float(money(x)) == x` for every x it returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import overload

import numpy as np
from numpy.typing import NDArray

CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
TENTH_NANO = Decimal("0.0000000001")
PICO = Decimal("0.000000000001")
ZERO = Decimal(0)


def _quantise(value: float | Decimal | int | str, unit: Decimal) -> Decimal:
    exact = value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else value)
    if not exact.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return exact.quantize(unit, rounding=ROUND_HALF_UP) + ZERO


def money(value: float | Decimal | int | str) -> Decimal:
    """Return an amount of currency, to the cent."""
    return _quantise(value, CENT)


def price(value: float | Decimal | int | str) -> Decimal:
    """Return a price, to 1e-6."""
    return _quantise(value, MICRO)


def shares(value: float | Decimal | int | str) -> Decimal:
    """Return a number of shares, to 1e-6."""
    return _quantise(value, MICRO)


def exact_shares(value: float | Decimal | int | str) -> Decimal:
    """Return a number of shares as finely as any broker tells it, to 1e-12; shares are booked to 1e-6."""
    return _quantise(value, PICO)


def cost(value: float | Decimal | int | str) -> Decimal:
    """Return an average cost a share, to 1e-10."""
    return _quantise(value, TENTH_NANO)


@overload
def to_float(value: None) -> None: ...
@overload
def to_float(value: Decimal | int | float) -> float: ...
def to_float(value: Decimal | float | None) -> float | None:
    """Return the float64 nearest to a stored number; None stays None."""
    return None if value is None else float(value)


def float_rows(rows: Iterable[Sequence[Decimal | int | bool]]) -> NDArray[np.float64]:
    """Return the float64 nearest to each stored number, as an array of shape (rows, columns)."""
    return np.array(list(rows), dtype=np.float64)
