"""Times as exchanges keep them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from trading.marketdata.calendars import exchange_calendar


def exchange_zone(exchange: str) -> ZoneInfo:
    """Return the zone an exchange's clocks show, by its ISO 10383 code."""
    return exchange_calendar(exchange).zone
