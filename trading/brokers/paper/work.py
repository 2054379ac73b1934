"""What an open order does in its market, in memory: filling, in whole or in parts, expiring, ending at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from portfolios.models import Portfolio
from trading.brokers.base import TimeInForce
from trading.brokers.paper.dice import Dice
from trading.brokers.paper.matching import Market, Terms, parts_of
from trading.brokers.paper.settings import PaperSettings
from trading.marketdata.calendars import EXTENDED_CLOSE, ExchangeCalendar, Session, exchange_calendar
from trading.models import PaperFill, PaperOrder, Quote
from volbal.common import clock, numbers
from volbal.strategy.numeric import cents

S = PaperOrder.Status


@dataclass(slots=True)
class Quoted:
    """The newest quotes of the orders looked at, in one query; `moment` is the wall clock."""

    moment: dt.datetime
    quotes: dict[tuple[str, int], Quote] = field(default_factory=dict)

    @classmethod
    def of(cls, orders: Sequence[PaperOrder]) -> Quoted:
        """Read the quotes of these orders."""
        if not orders:
            return cls(clock.now())
        rows = Quote.objects.filter(
            source__in={order.quote_source for order in orders},
            instrument_id__in={order.instrument_id for order in orders},
        )
        return cls(clock.now(), {(quote.source, quote.instrument_id): quote for quote in rows})

    def quote(self, order: PaperOrder) -> Quote | None:
        """Return the quote that an order trades on, if there is one."""
        return self.quotes.get((order.quote_source, order.instrument_id))

    def now(self, order: PaperOrder) -> dt.datetime:
        """Return the time in an order's market: a replay has its own."""
        quote = self.quote(order)
        is_replay = order.quote_source.partition(":")[0] == Portfolio.REPLAY_FEED
        return quote.as_of if is_replay and quote is not None else self.moment


def order_work(order: PaperOrder, quoted: Quoted, settings: PaperSettings) -> list[PaperFill]:
    """Let an open order do what the market allows: fill, in whole or in parts, or end. Changes the row in memory."""
    if order.expires_at is not None and quoted.now(order) >= order.expires_at:
        order.status, order.detail = S.EXPIRED, "the session closed"
        return []
    if quoted.moment < order.works_from:
        return []
    fills = _fills(order, quoted, settings)
    if order.is_open and order.time_in_force == TimeInForce.IOC:
        order.status, order.detail = S.CANCELLED, "nothing more at once"
    return fills


def _fills(order: PaperOrder, quoted: Quoted, settings: PaperSettings) -> list[PaperFill]:
    quote = quoted.quote(order)
    if quote is None:
        return []
    market = Market(quote.bid, quote.ask, quote.last)
    terms = Terms(order.side, order.type, order.limit_price, order.stop_price)
    order.is_triggered = order.is_triggered or terms.triggers(market)
    price = terms.price(market, slippage_bps=settings.slippage_bps) if order.is_triggered else None
    if price is None:
        return []
    dice = Dice(settings.seed)
    rate, most = settings.partial_fill_rate, settings.partial_fill_parts
    parts = parts_of(order.quantity, number=order.number, dice=dice, rate=rate, most=most)
    fills = []
    while order.is_open and quoted.moment >= order.works_from:
        # Settings may have changed since the last part: what is left is then the part.
        planned = parts[order.fill_count] if order.fill_count < len(parts) - 1 else order.remaining
        fills.append(order_fill(order, min(planned, order.remaining), price, quote.as_of))
        wait = settings.delay_seconds * dice.draw("pause", order.number, order.fill_count)
        order.works_from = quoted.moment + dt.timedelta(seconds=wait)
        if order.time_in_force == TimeInForce.IOC:
            break
    return fills


def order_close(order: PaperOrder, quoted: Quoted, *, after_hours: bool) -> dt.datetime:
    """Return when a day order ends: at the close of its exchange's session, or of the next where none is on."""
    calendar = exchange_calendar(order.instrument.exchange)
    moment = quoted.now(order)
    session = calendar.session(calendar.day_of(moment))
    if session is None or moment >= _end_of(session, calendar, after_hours):
        session = calendar.next_session(calendar.day_of(moment))
    return _end_of(session, calendar, after_hours)


def _end_of(session: Session, calendar: ExchangeCalendar, after_hours: bool) -> dt.datetime:
    return dt.datetime.combine(session.day, EXTENDED_CLOSE, calendar.zone) if after_hours else session.close


def order_fill(order: PaperOrder, quantity: Decimal, price: Decimal, as_of: dt.datetime) -> PaperFill:
    """Fill a part of an open order in memory. Raises ValueError for more than is left of it.

    Each part is charged the order's notional and commission so far less what was charged before (strategy 7).
    """
    if not 0 < quantity <= order.remaining:
        raise ValueError(f"{quantity} is not within the {order.remaining} shares that are left of the order")
    order.filled_quantity += quantity
    order.filled_value += quantity * price
    notional = numbers.money(float(cents(float(order.filled_value))))
    commission = order.commission_terms.commission(quantity=order.filled_quantity, notional=notional)
    fill = PaperFill(
        tenant_id=order.tenant_id,
        order=order,
        number=order.fill_count + 1,
        quantity=quantity,
        price=price,
        notional=notional - order.notional,
        commission=commission - order.commission,
        as_of=as_of,
    )
    order.notional, order.commission, order.fill_count = notional, commission, order.fill_count + 1
    order.status = S.FILLED if order.remaining == 0 else S.PARTIALLY_FILLED
    return fill
