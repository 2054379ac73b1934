"""A commission that the broker tells later, or corrects: the difference is booked beside what was booked."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Q, Sum

from portfolios.models import BrokerAccount, Cell, LedgerEntry
from portfolios.services.amounts import cash_amount
from portfolios.services.changes import changing
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from trading.models import Fill, Order
from trading.services.fills import halt_if_negative
from trading.services.marks import mark_refresh
from trading.services.positions import position_of
from volbal.common import numbers
from volbal.common.errors import Refused

ORIGIN = Origin(task="commission")


def commission_correct(
    *,
    account: BrokerAccount,
    commission: Decimal,
    broker_fill_id: str = "",
    client_order_id: str = "",
    origin: Origin = ORIGIN,
) -> Decimal:
    """Book what the broker says a commission is, less what was booked for it; return that difference.

    Named by a fill it is that fill's own, named by its client order id the order's in all. The same again books
    nothing, and it stands against the schedule's estimate from then on. Raises Refused for an order that is not
    this account's, or without a fill: there is nothing yet that could have cost anything.
    """
    asked = cash_amount("commission", commission, least=None)
    order = _order(account, broker_fill_id, client_order_id)
    fills = Fill.objects.filter(order=order).order_by("-id")
    last = (fills.filter(broker_fill_id=broker_fill_id) if broker_fill_id else fills).first()
    if last is None:
        raise Refused(f"Order {order.client_order_id} has no fill yet; its commission comes with it.", code="no_fill")
    with changing(Cell(pk=order.cell_id), kind="cell.commission_corrected", origin=origin, as_of=last.as_of) as change:
        order = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        difference = asked - (_booked(last) if broker_fill_id else Decimal(order.commission))
        order.commission, order.commission_is_told = Decimal(order.commission) + difference, True
        order.save(update_fields=["commission", "commission_is_told"])
        if difference:
            _book(change.row, order, last, difference, origin)
            change.details |= {"order": order.pk, "commission": order.commission, "difference": difference}
    return difference


def _order(account: BrokerAccount, broker_fill_id: str, client_order_id: str) -> Order:
    ours = Order.objects.filter(account=account)
    if broker_fill_id:
        ours = ours.filter(fills__broker_fill_id=broker_fill_id)
    if client_order_id:
        ours = ours.filter(client_order_id=client_order_id)
    order = ours.select_related("account").first() if broker_fill_id or client_order_id else None
    if order is None:
        raise Refused(
            f"{account.name} has no order of {client_order_id or broker_fill_id or 'an empty id'}.",
            code="unknown_order",
        )
    return order


def _booked(fill: Fill) -> Decimal:
    """Return the commission that is booked for a fill, corrections included."""
    own = Q(key=f"fill:{fill.pk}:commission") | Q(key__startswith=f"fill:{fill.pk}:correction:")
    paid = LedgerEntry.objects.filter(own).aggregate(paid=Sum("cash"))["paid"]
    return -Decimal(paid or 0)


def _book(cell: Cell, order: Order, last: Fill, difference: Decimal, origin: Origin) -> None:
    """Book the difference; what bought shares cost more or less joins their average cost as far as they are held."""
    corrections = LedgerEntry.objects.filter(key__startswith=f"fill:{last.pk}:correction:").count()
    movement = Movement(
        kind=LedgerEntry.Kind.COMMISSION,
        key=f"fill:{last.pk}:correction:{corrections + 1}",
        cash=-difference,
        note="the broker's own, in place of the estimate",
    )
    book(account=order.account, owner=cell, movements=[movement], as_of=last.as_of, origin=origin)
    if order.side == Order.Side.BUY and cell.shares > 0:
        held = min(cell.shares / order.filled_quantity, Decimal(1))
        cell.average_cost = numbers.cost(cell.average_cost + difference * held / cell.shares)
    halt_if_negative(cell, position_of(cell))
    mark_refresh(cell=cell)
