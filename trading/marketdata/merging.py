"""Joining newly fetched bars with those there are. Bars are never invented: what neither has stays missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volbal.common.errors import Refused
from volbal.strategy import Bars

COLUMNS = ("open", "high", "low", "close", "volume")
LISTED = 200


@dataclass(frozen=True, slots=True)
class MergedBars:
    """Bars of both, the newer ones where both have one; how many are new, and where the two differ, in words."""

    bars: Bars
    added: int
    corrected: int
    corrections: tuple[str, ...]

    @property
    def is_changed(self) -> bool:
        """Whether anything is new."""
        return self.added > 0 or self.corrected > 0


def bars_merge(before: Bars | None, fresh: Bars) -> MergedBars:
    """Return `fresh` laid over `before`. The first 200 differences are said, and how many more there are.

    Raises Refused where the two are of different resolutions.
    """
    if before is None:
        return MergedBars(fresh, len(fresh), 0, ())
    if before.resolution != fresh.resolution:
        raise Refused(f"{fresh.resolution} bars cannot join {before.resolution} ones.", code="other_resolution")
    _, old, new = np.intersect1d(before.stamps, fresh.stamps, assume_unique=True, return_indices=True)
    differs = np.zeros(len(old), np.bool_)
    for name in COLUMNS:
        differs |= getattr(before, name)[old] != getattr(fresh, name)[new]
    places = np.flatnonzero(differs)
    told = [_told(before, int(old[place]), fresh, int(new[place])) for place in places[:LISTED]]
    if len(places) > LISTED:
        told.append(f"and {len(places) - LISTED:,} more")
    kept = ~np.isin(before.stamps, fresh.stamps)
    order = np.argsort(np.concatenate([before.stamps[kept], fresh.stamps]), kind="stable")
    joined = {
        name: np.concatenate([getattr(before, name)[kept], getattr(fresh, name)])[order]
        for name in ("stamps", *COLUMNS, "days", "in_session")
    }
    bars = Bars(**joined, symbol=fresh.symbol, resolution=fresh.resolution)
    return MergedBars(bars, len(fresh) - len(old), len(places), tuple(told))


def _told(before: Bars, old: int, fresh: Bars, new: int) -> str:
    parts = [
        f"{name} {getattr(before, name)[old]:.10g} is {getattr(fresh, name)[new]:.10g}"
        for name in COLUMNS
        if getattr(before, name)[old] != getattr(fresh, name)[new]
    ]
    return f"{before.label(old)}: {', '.join(parts)}"
