"""The sender's part in orders that rest: taking back what must not."""

from __future__ import annotations

import logging

from portfolios.models import BrokerAccount, Cell, Portfolio
from trading.models import Order
from trading.services.order_cancels import order_cancel
from trading.services.order_states import ForbiddenMoveError
from trading.services.resting_orders import rest_cancel
from volbal.common.errors import Conflict

logger = logging.getLogger(__name__)


def rests_take_back(*, account: BrokerAccount) -> None:
    """Cancel what rests for cells that rest nothing any more; the broker is asked for it by `cancels_ask`.

    One query where nothing rests. Halts are looked at beside it (`restrictions.orders_forbidden`).
    """
    resting = Order.objects.filter(account=account, purpose=Order.Purpose.RESTING)
    lost = resting.filter(status__in=Order.CANCELLABLE).exclude(
        cell__status=Cell.Status.ACTIVE, cell__execution=Cell.Execution.RESTING, cell__portfolio__is_archived=False
    )
    for order in lost.select_related("cell__portfolio").order_by("id"):
        rest_cancel(order, _why(order.cell))


def rests_finish(*, portfolio: Portfolio) -> None:
    """Cancel what rests in a replay that has reached its end."""
    rows = Order.objects.filter(cell__portfolio=portfolio, purpose=Order.Purpose.RESTING)
    for order in rows.filter(status__in=Order.CANCELLABLE).select_related("account").order_by("id"):
        try:
            order_cancel(order=order, detail="the replay reached its end")
        except (Conflict, ForbiddenMoveError) as first:
            logger.info("%s", first)


def _why(cell: Cell) -> str:
    if cell.portfolio.is_archived:
        return "its portfolio is archived"
    if cell.status != Cell.Status.ACTIVE:
        return f"the cell is {cell.get_status_display().lower()}"
    return "the cell watches its price"
