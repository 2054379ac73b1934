"""What a broker says of an order, learned by asking or from its stream, put onto our row. It may come in any order."""

from __future__ import annotations

from decimal import Decimal

from portfolios.models import BrokerAccount, Cell
from portfolios.services.changes import changing
from portfolios.services.origin import Origin
from trading.brokers.base import BrokerOrder, BrokerOrderStatus, BrokerUpdate
from trading.models import Fill, Order
from trading.services.fills import fill_book
from trading.services.order_ends import END_OF, end_on, end_told
from trading.services.order_states import ALLOWED, order_move
from trading.services.refusals import doubtful_keep, report_refuse
from volbal.common import numbers

ORIGIN = Origin(task="broker")
S = Order.Status
STATE_OF: dict[str, Order.Status] = {
    BrokerOrderStatus.RECEIVED: S.SUBMITTED,
    BrokerOrderStatus.WORKING: S.ACCEPTED,
    # Its parts are booked by their reports; the state follows them.
    BrokerOrderStatus.PARTIALLY_FILLED: S.ACCEPTED,
    BrokerOrderStatus.CANCELLING: S.CANCELLING,
}
STATUSES = frozenset(BrokerOrderStatus)
MOST_SHARES = Decimal(10) ** 9


def broker_update_apply(*, account: BrokerAccount, update: BrokerUpdate) -> Fill | None:
    """Take what a broker's stream tells: first its fill, then its order. Return the fill where it was new.

    The same update again changes nothing. What makes no sense is kept as a refused report.
    """
    if update.doubtful is not None:
        doubtful_keep(account=account, told=update.doubtful)
    fill = None if update.fill is None else fill_book(account=account, report=update.fill)
    if update.order is not None:
        broker_order_apply(account=account, told=update.order)
    return fill


def broker_order_apply(*, account: BrokerAccount, told: BrokerOrder, fills_are_read: bool = False) -> None:
    """Put a broker's view of one order onto ours; an order that is not ours is left to reconciliation.

    An order that the broker ended ends here once as much is booked as it says was filled; until then the row keeps
    the end it was told. With `fills_are_read` every report up to this view was booked already, so that a view which
    does not say how much is filled ends it too.
    """
    if not _makes_sense(account, told):
        return
    order = Order.objects.filter(account=account, client_order_id=told.client_order_id).first()
    if order is None:
        return
    with changing(Cell(pk=order.cell_id), kind="cell.order_ended", origin=ORIGIN, as_of=order.as_of) as change:
        # The cell is locked now, so that no fill of the order comes between.
        order = Order.objects.select_for_update(of=("self",), no_key=True).get(pk=order.pk)
        _keep(order, told)
        if order.has_ended:
            return
        end = end_told(order)
        if end is None and fills_are_read and told.filled_quantity is None:
            end = END_OF.get(told.status)
        if end is None:
            _follow(order, told)
            return
        end_on(
            cell=change.row,
            order=order,
            after=end,
            detail=_why(order, end, told),
            as_of=order.fills.order_by("-as_of").values_list("as_of", flat=True).first() or order.as_of,
        )
        change.details |= {"order": order.pk, "status": end, "filled": order.filled_quantity}


def _why(order: Order, end: Order.Status, told: BrokerOrder) -> str:
    """Return why an order ended: ours where we asked for its cancellation, else the broker's."""
    if end == S.CANCELLED and order.status == S.CANCELLING and order.status_detail:
        return str(order.status_detail)
    return told.detail or str(order.status_detail)


def _keep(order: Order, told: BrokerOrder) -> None:
    """Keep what the broker said. A view that comes late undoes neither an end nor a larger number of shares."""
    if told.broker_order_id:
        order.broker_order_id = told.broker_order_id
    if order.broker_status not in END_OF:
        order.broker_status = told.status
    if told.filled_quantity is not None:
        shares = numbers.shares(told.filled_quantity)
        known = order.broker_filled_quantity
        order.broker_filled_quantity = shares if known is None else max(known, shares)
    if told.status == BrokerOrderStatus.REJECTED:
        order.reject_code = told.reject_code or "rejected"
    order.not_found_at = None
    order.save(
        update_fields=["broker_order_id", "broker_status", "broker_filled_quantity", "reject_code", "not_found_at"]
    )


def _follow(order: Order, told: BrokerOrder) -> None:
    """Move an order that has not ended to the state that the broker's view means, where it is not further already."""
    if order.status == S.CANCELLING:
        _resume(order, told)
        return
    # An end whose fills are still to come: the broker has it, and more cannot be said yet.
    state = STATE_OF.get(told.status, S.ACCEPTED)
    if state in ALLOWED[S(order.status)]:
        order_move(order, state, detail=told.detail)


def _resume(order: Order, told: BrokerOrder) -> None:
    """Let an order work on whose broker says that it does not cancel it; a view that is only late changes nothing."""
    if told.cancel_declined and told.status in (BrokerOrderStatus.WORKING, BrokerOrderStatus.PARTIALLY_FILLED):
        state = S.PARTIALLY_FILLED if order.filled_quantity else S.ACCEPTED
        order_move(order, state, detail=f"The broker does not cancel it: {told.cancel_declined}")


def _makes_sense(account: BrokerAccount, told: BrokerOrder) -> bool:
    quantity = told.filled_quantity
    if told.status not in STATUSES:
        code, said = "unknown_status", f"The status {told.status!r} is none that a broker may tell."
    elif quantity is not None and not (quantity.is_finite() and 0 <= quantity <= MOST_SHARES):
        code, said = "quantity", f"{quantity} shares filled cannot be; expected 0 to {MOST_SHARES:,f}."
    else:
        return True
    report_refuse(account=account, payload=told, code=code, sentence=said)
    return False
