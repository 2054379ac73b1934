"""A tick of a portfolio that lives in the present: its feed's newest quotes, its open orders, then the tick."""

from __future__ import annotations

import datetime as dt
import logging

from portfolios.models import Cell, Instrument, Portfolio
from trading.feeds.registry import REPLAY, feed_of
from trading.models import Order
from trading.services.corporate_actions import splits_due
from trading.services.order_ends import CANCELLABLE, order_cancel
from trading.services.order_states import ForbiddenMoveError
from trading.services.ticks import TickOutcome, tick_run
from volbal.common import clock
from volbal.common.errors import Conflict, Refused

logger = logging.getLogger(__name__)


def portfolio_tick(*, portfolio: Portfolio, due: dt.datetime | None = None) -> TickOutcome | None:
    """Fetch quotes and look at every cell, unless that was done since `due` (see `tick_run`).

    Raises Refused for a replay, which has a time of its own.
    """
    if portfolio.feed == REPLAY:
        raise Refused(
            f"{portfolio.name} is a replay and has its own time.", code="replay_time", hint="Step the replay instead."
        )
    moment = clock.now()
    held = Cell.objects.filter(portfolio=portfolio).exclude(status=Cell.Status.ARCHIVED)
    instruments = Instrument.objects.filter(pk__in=held.order_by().values("instrument_id"))
    quotes = feed_of(portfolio).quotes(list(instruments), moment)
    _cancel_across_splits(portfolio, moment)
    return tick_run(portfolio_id=portfolio.pk, as_of=moment, quotes=quotes, due=due)


def _cancel_across_splits(portfolio: Portfolio, moment: dt.datetime) -> None:
    """Cancel what is open in cells whose instrument splits today (strategy 8).

    What cannot be cancelled now, because the broker has not answered yet, keeps its cell waiting at this tick.
    """
    working = Order.objects.filter(cell__portfolio=portfolio, status__in=CANCELLABLE)
    orders = list(working.select_related("cell__instrument", "account").order_by("id"))
    splitting = splits_due([order.cell for order in orders], moment)
    for order in orders:
        if order.cell_id in splitting:
            try:
                order_cancel(order=order, detail="cancelled before a split")
            except (Conflict, ForbiddenMoveError) as first:
                logger.info("%s", first)
