"""A broker's limit on requests, kept by all processes together in the shared cache."""

from __future__ import annotations

import time

from django.core.cache import cache

BUCKET_SECONDS = 10
WINDOW_SECONDS = 60
# One bucket more than the window has: however the broker cuts its minutes, none holds more than the limit.
BUCKETS = WINDOW_SECONDS // BUCKET_SECONDS + 1


class RateLimit:
    """At most `limit` requests in any minute, of which `reserve` are for cancels alone."""

    def __init__(self, name: str, *, limit: int, reserve: int) -> None:
        self.name = name
        self.limit = limit
        self.reserve = reserve

    def take(self, *, urgent: bool = False) -> bool:
        """Count one request and return True, or return False where it must not be sent now."""
        if not urgent and cache.get(self._closed_key) is not None:
            return False
        bucket = int(time.time()) // BUCKET_SECONDS
        self._add(bucket, 1)
        if self.used(bucket) <= self.limit - (0 if urgent else self.reserve):
            return True
        self._add(bucket, -1)
        return False

    def used(self, bucket: int | None = None) -> int:
        """Return how many requests count at present."""
        newest = int(time.time()) // BUCKET_SECONDS if bucket is None else bucket
        keys = [self._key(newest - back) for back in range(BUCKETS)]
        return int(sum(cache.get_many(keys).values()))

    def close(self, seconds: float) -> None:
        """Send nothing but cancels for a while: the broker itself said that there were too many."""
        cache.set(self._closed_key, True, timeout=min(max(seconds, 1.0), WINDOW_SECONDS))

    @property
    def _closed_key(self) -> str:
        return f"rate:{self.name}:closed"

    def _key(self, bucket: int) -> str:
        return f"rate:{self.name}:{bucket}"

    def _add(self, bucket: int, count: int) -> None:
        cache.add(self._key(bucket), 0, timeout=2 * WINDOW_SECONDS)
        cache.incr(self._key(bucket), count)
