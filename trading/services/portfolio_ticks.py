"""A tick of a portfolio that lives in the present: its feed's newest quotes, its open orders, then the tick."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence

from portfolios.models import Cell, Instrument, Portfolio
from trading.feeds.base import Feed, PriceQuote
from trading.feeds.known import quotes_known
from trading.feeds.registry import REPLAY, feed_of
from trading.models import Order, Tick
from trading.services.corporate_actions import splits_due
from trading.services.feed_asking import quotes_ask
from trading.services.order_cancels import CANCELLABLE, order_cancel
from trading.services.order_states import ForbiddenMoveError
from trading.services.tick_states import tick_done, tick_failed
from trading.services.ticks import TickOutcome, tick_run
from trading.services.wake_claims import wake_begin
from volbal.common import clock
from volbal.common.errors import Conflict, Refused
from volbal.common.exclusive import only_one

logger = logging.getLogger(__name__)


def portfolio_tick(*, portfolio: Portfolio, due: dt.datetime | None = None, woken: bool = False) -> TickOutcome | None:
    """Fetch quotes and look at every cell, unless that was done since `due` (see `tick_run`).

    Two ticks of a portfolio never overlap: the second sees the first and leaves with None. A tick that raises is kept
    as the portfolio's last error and raises here. With `woken` it answers the quote that asked, and takes what was
    kept of quotes just then instead of asking for them again.
    Raises Refused for a replay, which has a time of its own.
    """
    if portfolio.feed == REPLAY:
        raise Refused(
            f"{portfolio.name} is a replay and has its own time.", code="replay_time", hint="Step the replay instead."
        )
    with only_one("tick", portfolio.pk) as is_ours:
        if not is_ours or (due is not None and Tick.objects.filter(portfolio=portfolio, as_of__gte=due).exists()):
            return None
        if woken:
            wake_begin(portfolio=portfolio)
        moment = clock.now()
        try:
            outcome = _look(portfolio, moment, due, woken=woken)
        except Exception as error:
            tick_failed(portfolio=portfolio, error=error)
            raise
        if outcome is not None:
            tick_done(portfolio=portfolio, started=moment)
        return outcome


def _look(portfolio: Portfolio, moment: dt.datetime, due: dt.datetime | None, *, woken: bool) -> TickOutcome | None:
    held = Cell.objects.filter(portfolio=portfolio).exclude(status=Cell.Status.ARCHIVED)
    instruments = Instrument.objects.filter(pk__in=held.order_by().values("instrument_id"))
    quotes = _quotes(feed_of(portfolio), list(instruments), moment, woken=woken)
    _cancel_across_splits(portfolio, moment)
    return tick_run(portfolio_id=portfolio.pk, as_of=moment, quotes=quotes, due=due)


def _quotes(feed: Feed, instruments: Sequence[Instrument], moment: dt.datetime, *, woken: bool) -> list[PriceQuote]:
    """Return the newest quotes: what woke a portfolio is kept already, and a remote feed is asked for the rest only."""
    kept = quotes_known(feed=feed, instrument_ids=[one.pk for one in instruments]) if woken and feed.is_remote else []
    known = {quote.instrument_id for quote in kept}
    missing = [one for one in instruments if one.pk not in known]
    return [*kept, *quotes_ask(feed=feed, instruments=missing, moment=moment)]


def _cancel_across_splits(portfolio: Portfolio, moment: dt.datetime) -> None:
    """Cancel what is open in cells whose instrument splits today (strategy 8).

    What cannot be cancelled now, because the broker has not answered yet, keeps its cell waiting at this tick.
    """
    working = Order.objects.filter(cell__portfolio=portfolio, status__in=CANCELLABLE)
    if not working.exists():
        return
    orders = list(working.select_related("cell__instrument", "account").order_by("id"))
    splitting = splits_due([order.cell for order in orders], moment)
    for order in orders:
        if order.cell_id in splitting:
            try:
                order_cancel(order=order, detail="cancelled before a split")
            except (Conflict, ForbiddenMoveError) as first:
                logger.info("%s", first)
