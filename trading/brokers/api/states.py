"""The moves that an order laid out for its broker may make. What is not in the table is refused."""

from __future__ import annotations

from trading.models import ApiOrder
from volbal.common import clock
from volbal.common.errors import Refused

S = ApiOrder.State

# A fill is a fact in every state. A cancellation that was asked for stays so until the broker says what came of it:
# the order's end, or that it declines, which leaves the order at work.
ALLOWED: dict[S, frozenset[S]] = {
    S.WAITING: frozenset({S.CLAIMED, S.ACKNOWLEDGED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED}),
    S.CLAIMED: frozenset(
        {S.CLAIMED, S.ACKNOWLEDGED, S.CANCEL_ASKED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED}
    ),
    S.ACKNOWLEDGED: frozenset({S.CANCEL_ASKED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED}),
    S.PARTIALLY_FILLED: frozenset({S.PARTIALLY_FILLED, S.CANCEL_ASKED, S.FILLED, S.CANCELLED, S.EXPIRED}),
    S.CANCEL_ASKED: frozenset({S.ACKNOWLEDGED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.EXPIRED}),
    S.FILLED: frozenset(),
    S.CANCELLED: frozenset({S.FILLED}),
    S.REJECTED: frozenset({S.FILLED}),
    S.EXPIRED: frozenset({S.FILLED}),
}


def api_order_move(order: ApiOrder, after: ApiOrder.State, *, code: str = "", detail: str = "") -> None:
    """Move a locked order in memory. Raises Refused where the table does not allow it."""
    if after not in ALLOWED[S(order.state)]:
        raise Refused(
            f"Order {order.client_order_id} is {order.get_state_display().lower()} and cannot become "
            f"{after.label.lower()}; nothing was changed.",
            code="forbidden_move",
        )
    order.state, order.state_at, order.code, order.detail = after, clock.now(), code, detail[:240]
