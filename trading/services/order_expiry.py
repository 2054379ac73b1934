"""When a day order ends: at the close of its exchange's session, half days and holidays included (strategy 9)."""

from __future__ import annotations

import datetime as dt

from portfolios.models import Portfolio
from trading.feeds.registry import REPLAY
from trading.marketdata.calendars import EXTENDED_CLOSE, exchange_calendar
from trading.models import Order

# A decision is written this soon after its prices; what comes later is dated by when it is written.
WRITTEN_WITHIN = dt.timedelta(seconds=60)


def order_expires_at(
    *, portfolio: Portfolio, exchange: str, time_in_force: str, as_of: dt.datetime, moment: dt.datetime
) -> dt.datetime | None:
    """Return when an order ends that is written at `moment` on prices of `as_of`; None where it has no end of its own.

    A day order, and one that is to be filled at once, ends at the close of the session that is open or comes next; in a
    portfolio with after hours at the end of that day's extended session. A replay waits for its orders instead.
    """
    if time_in_force == Order.TimeInForce.GTC or portfolio.feed == REPLAY:
        return None
    calendar = exchange_calendar(exchange)
    since = max(as_of, moment - WRITTEN_WITHIN)
    session = calendar.session(calendar.day_of(since)) or calendar.next_session(calendar.day_of(since))
    extended = portfolio.trading_hours == Portfolio.TradingHours.EXTENDED
    while True:
        close = session.close
        if extended:
            close = dt.datetime.combine(session.day, EXTENDED_CLOSE, calendar.zone).astimezone(dt.UTC)
        if since < close:
            return close
        session = calendar.next_session(session.day)
