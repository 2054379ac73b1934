"""Chance that can be repeated: the same seed and key always come to the same number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_SIXTY_FOUR_BITS = float(2**64)


@dataclass(frozen=True, slots=True)
class Dice:
    """Numbers from a seed. A key says what is decided and about which order, part, report or call of the book."""

    seed: int

    def draw(self, *key: object) -> float:
        """Return a number from 0 to below 1."""
        text = "|".join(str(part) for part in (self.seed, *key))
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        # Rounding to float64 can reach 1 itself, which no rate below 1 may ever meet.
        return min(int.from_bytes(digest) / _SIXTY_FOUR_BITS, 1.0 - 2.0**-53)

    def happens(self, rate: float, *key: object) -> bool:
        """Tell whether something of this probability happens: never at 0, always at 1."""
        return rate > 0.0 and self.draw(*key) < rate
