"""Orders by hand: written as intents like the rule's, through the same gates that protect money."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from portfolios.models import Cell
from portfolios.selectors import commission_terms
from portfolios.services.amounts import price_amount, share_amount
from portfolios.services.changes import changing
from portfolios.services.checks import require_not_archived, require_reason
from portfolios.services.order_counts import cells_count_orders
from portfolios.services.origin import Origin
from trading import tasks
from trading.brokers.base import Capabilities
from trading.brokers.registry import broker_of
from trading.feeds.registry import REPLAY
from trading.feeds.sources import source_of
from trading.marketdata.calendars import exchange_calendar
from trading.models import Order, Quote
from trading.services.gates import account_blocks
from trading.services.intent_sending import order_request
from trading.services.order_costs import buying_cost, worst_price
from trading.services.order_expiry import order_expires_at
from trading.services.restrictions import submission_refusal
from volbal.common import clock
from volbal.common.errors import Refused
from volbal.common.numbers import MICRO, ZERO
from volbal.common.starting import task_start

LIMITED = (Order.Type.LIMIT, Order.Type.STOP_LIMIT)
STOPPED = (Order.Type.STOP, Order.Type.STOP_LIMIT)


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What a person wants done: a side, shares above 0, and the prices that its type needs and no other."""

    side: str
    quantity: Decimal
    type: str = Order.Type.MARKET
    time_in_force: str = Order.TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    def price(self, present: Decimal | None) -> Decimal | None:
        """Return the price that it is reckoned at before it is placed: its own, else the present one."""
        return next((one for one in (self.limit_price, self.stop_price, present) if one is not None), None)


def order_place(*, cell: Cell, terms: OrderTerms, origin: Origin, key: str = "") -> Order:
    """Write an order by hand as an intent and have it sent; the reason is kept with it.

    The same `key` (a UUID) in the same cell again is the same order. It counts among the day's orders, and while it is
    open the rule does not act in the cell. Raises Refused, saying what would be allowed: without a reason, in a
    replay, while trading is halted, for what the broker does not take, for a buy that costs more than the cell's cash
    and a sale of more than its shares, open orders considered.
    """
    require_reason(origin, "An order by hand")
    moment = clock.now()
    with changing(cell, kind="order.placed", origin=origin, as_of=moment) as change:
        client_order_id = f"vb-{(uuid.uuid5(uuid.UUID(key), str(cell.pk)) if key else uuid.uuid4()).hex}"
        known = Order.objects.filter(cell=cell, client_order_id=client_order_id).first()
        if known is not None:
            return known
        _require_trading(change.row)
        order = _intent(change.row, terms, origin, client_order_id)
        _require_taken(broker_of(change.row.portfolio.account).capabilities, order)
        _require_covered(change.row, order)
        order.save(force_insert=True)
        if order.is_counted:
            cells_count_orders(
                cells=[change.row], days={cell.pk: exchange_calendar(cell.instrument.exchange).day_of(moment)}
            )
            change.row.refresh_from_db(fields=["orders_today", "orders_day"])
        change.details |= {"order": order.pk, "side": order.side, "quantity": order.quantity, "type": order.type}
    task_start(tasks.send_orders, cell.tenant_id, order.account_id)
    return order


def _require_trading(cell: Cell) -> None:
    require_not_archived(cell)
    portfolio = cell.portfolio
    if portfolio.is_archived:
        raise Refused(f"{portfolio.name} is archived.", code="archived")
    if portfolio.feed == REPLAY:
        raise Refused("A replay decides by the rule alone, as the backtest does.", code="replay")
    if account_blocks(portfolio.account):
        raise Refused(
            f"{portfolio.account} does not agree with its broker; nothing is sent until it does.", code="differs"
        )


def _intent(cell: Cell, terms: OrderTerms, origin: Origin, client_order_id: str) -> Order:
    """Return the row to be written. Raises Refused for numbers that cannot be kept and prices the type has not."""
    portfolio, moment = cell.portfolio, clock.now()
    schedule = commission_terms([cell])[cell.pk]
    source = source_of(portfolio)
    quote = Quote.objects.filter(source=source, instrument_id=cell.instrument_id).first()
    return Order(
        tenant_id=cell.tenant_id,
        account=portfolio.account,
        cell=cell,
        client_order_id=client_order_id,
        side=Order.Side(terms.side),
        type=Order.Type(terms.type),
        time_in_force=Order.TimeInForce(terms.time_in_force),
        purpose=Order.Purpose.MANUAL,
        quantity=share_amount("quantity", terms.quantity, least=MICRO),
        limit_price=_own_price("limit price", terms.limit_price, is_needed=terms.type in LIMITED),
        stop_price=_own_price("stop price", terms.stop_price, is_needed=terms.type in STOPPED),
        decision_price=None if quote is None else quote.price,
        reason="by_hand",
        note=origin.reason,
        actor_id=origin.actor_id,
        quote_source=source,
        commission_rate=schedule.rate,
        commission_per_share=schedule.per_share,
        commission_min=schedule.minimum,
        commission_cap=schedule.cap,
        is_counted=cell.execution != Cell.Execution.RESTING,
        expires_at=order_expires_at(
            portfolio=portfolio,
            exchange=cell.instrument.exchange,
            time_in_force=terms.time_in_force,
            as_of=moment,
            moment=moment,
        ),
        status_at=moment,
        as_of=moment,
    )


def _own_price(name: str, value: Decimal | None, *, is_needed: bool) -> Decimal | None:
    if value is None:
        if is_needed:
            raise Refused(f"This type of order needs a {name}, and none was given.", code="no_price")
        return None
    if not is_needed:
        raise Refused(f"This type of order has no {name}; leave it empty.", code="price_unused")
    return price_amount(name, value)


def _require_taken(capabilities: Capabilities, order: Order) -> None:
    """Raise Refused for what a halt forbids or the broker does not take."""
    forbidden = submission_refusal(order)
    if forbidden is not None:
        raise Refused(forbidden[:1].upper() + forbidden[1:], code="halted")
    refusal = capabilities.refusal(order_request(order))
    if refusal:
        types = ", ".join(sorted(one.replace("_", "-") for one in capabilities.order_types))
        raise Refused(
            f"{order.account} cannot take it: {refusal}.",
            code="not_supported",
            hint=f"It takes {types} orders that last {', '.join(sorted(capabilities.times_in_force))}.",
        )


def _require_covered(cell: Cell, order: Order) -> None:
    """Raise Refused where the cell's cash or shares, less what its open orders may use, do not cover the order."""
    open_orders = list(Order.objects.filter(cell=cell, side=order.side).exclude(status__in=Order.ENDED))
    if order.side == Order.Side.SELL:
        free = cell.shares - sum((one.quantity - one.filled_quantity for one in open_orders), ZERO)
        if order.quantity > free:
            raise Refused(
                f"{cell} can sell {max(free, ZERO).normalize():f} shares, and {order.quantity.normalize():f} "
                "were asked for; open orders are counted.",
                code="insufficient_shares",
            )
        return
    price = worst_price(order)
    if price is None:
        raise Refused("There is no price, so that nobody can say what it costs. Give a limit.", code="no_price")
    free = cell.cash - _reserved(open_orders)
    cost = buying_cost(order.quantity, price, order.commission_terms)
    if cost > free:
        most = max((free - order.commission_min) / (price * (1 + order.commission_terms.rule_rate(price))), ZERO)
        raise Refused(
            f"It may cost {cost:,.2f} at {price.normalize():f}, and {cell} has {free:,.2f}; open orders are counted.",
            code="insufficient_funds",
            hint=f"At most about {most:,.4f} shares.",
        )


def _reserved(orders: Iterable[Order]) -> Decimal:
    """Return what open buys may still cost."""
    return sum(
        (
            buying_cost(one.quantity - one.filled_quantity, price, one.commission_terms)
            for one in orders
            if (price := worst_price(one)) is not None and one.quantity > one.filled_quantity
        ),
        ZERO,
    )
