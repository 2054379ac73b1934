"""Rounding of money, prices and shares (strategy 5 and 7), and the array types of the core."""

from typing import Any

import numpy as np
import numpy.typing as npt

from volbal.strategy.compile import compiled

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]

LARGEST_EXACT = 4503599.0  # beyond this a float64 cannot hold nine decimals: there is nothing to round


@compiled
def cents(amount: float) -> float:
    """Round money to whole cents, a decimal tie going up despite binary noise (strategy 7)."""
    rounded: float = np.floor(amount * 100.0 + 0.5 + 1e-6) / 100.0
    return rounded


@compiled
def micro(amount: float) -> float:
    """Round a price or a number of shares to 1e-6 (strategy 7)."""
    rounded: float = np.floor(amount * 1e6 + 0.5) / 1e6
    return rounded


@compiled
def round_down(quantity: float, step: float) -> float:
    """Round a quantity ≥ 0 toward zero to whole steps, to 9 decimals (strategy 5)."""
    rounded: float = np.floor(quantity / step * (1.0 + 1e-13) + 1e-9) * step
    if rounded < LARGEST_EXACT:
        rounded = np.floor(rounded * 1e9 + 0.5) / 1e9
    return rounded
