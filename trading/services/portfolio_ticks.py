"""A tick of a portfolio that lives in the present: its feed's newest quotes, its open orders, then the tick."""

from __future__ import annotations

from portfolios.models import Cell, Instrument, Portfolio
from trading.feeds.registry import REPLAY, feed_of
from trading.models import Order
from trading.services.corporate_actions import splits_due
from trading.services.orders import order_cancel
from trading.services.ticks import TickOutcome, tick_run
from volbal.common import clock
from volbal.common.errors import Refused


def portfolio_tick(*, portfolio: Portfolio) -> TickOutcome | None:
    """Fetch quotes and look at every cell. Raises Refused for a replay, which has a time of its own."""
    if portfolio.feed == REPLAY:
        raise Refused(
            f"{portfolio.name} is a replay and has its own time.", code="replay_time", hint="Step the replay instead."
        )
    moment = clock.now()
    held = Cell.objects.filter(portfolio=portfolio).exclude(status=Cell.Status.ARCHIVED)
    instruments = Instrument.objects.filter(pk__in=held.order_by().values("instrument_id"))
    quotes = feed_of(portfolio).quotes(list(instruments), moment)
    for order in _orders_across_splits(portfolio):
        order_cancel(order=order, detail="cancelled before a split")
    return tick_run(portfolio_id=portfolio.pk, as_of=moment, quotes=quotes)


def _orders_across_splits(portfolio: Portfolio) -> list[Order]:
    """Return open orders of cells whose instrument splits today."""
    working = Order.objects.filter(cell__portfolio=portfolio).exclude(status__in=Order.ENDED)
    rows = working.select_related("cell__instrument", "account")
    return [order for order in rows if splits_due(order.cell, clock.now())]
