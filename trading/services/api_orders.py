"""What a broker that works over our API says about its orders. Each may be said any number of times."""

from __future__ import annotations

import datetime as dt

from portfolios.services.changes import changing
from portfolios.services.origin import Origin
from trading.brokers.api.settings import ApiSettings
from trading.brokers.api.states import api_order_move
from trading.models import ApiOrder
from volbal.common import clock
from volbal.common.errors import Conflict, Refused

S = ApiOrder.State


def api_order_claim(*, order: ApiOrder, claimant: str, origin: Origin) -> ApiOrder:
    """Give an order that waits to `claimant` to place. By the same claimant again the claim only lasts longer.

    Raises Conflict while another claimant has it, and Refused once it is not to be placed any more.
    """
    _require_name("claimant", claimant, 80)
    with changing(order, kind="api_order.claimed", origin=origin) as change:
        row, moment = change.row, clock.now()
        if row.state not in (S.WAITING, S.CLAIMED) or _is_late(row, moment):
            raise Refused(
                f"Order {row.client_order_id} is {row.get_state_display().lower()}; do not place it.",
                code="not_to_be_placed",
            )
        taken = row.state == S.CLAIMED and row.claimed_until is not None and moment < row.claimed_until
        if taken and row.claimed_by != claimant:
            raise Conflict(f"Order {row.client_order_id} was fetched by {row.claimed_by}; it was first.")
        api_order_move(row, S.CLAIMED)
        row.claimed_by = claimant
        row.claimed_until = moment + dt.timedelta(seconds=ApiSettings.of(row.account).lease_seconds)
    return order


def api_order_acknowledge(*, order: ApiOrder, broker_order_id: str, origin: Origin) -> ApiOrder:
    """Record that the broker has placed an order, under its own number. Raises Refused where it told another one.

    One whose cancellation was asked for meanwhile stays to be cancelled. Raises Refused for one that was withdrawn.
    """
    _require_name("broker_order_id", broker_order_id, 64)
    with changing(order, kind="api_order.acknowledged", origin=origin) as change:
        row = change.row
        if row.broker_order_id not in ("", broker_order_id):
            raise Refused(
                f"Order {row.client_order_id} is known as {row.broker_order_id}, not {broker_order_id}; "
                "it may have been placed twice.",
                code="another_number",
                hint="Cancel the one placed later.",
            )
        if row.state in (S.CANCELLED, S.EXPIRED) and not row.broker_order_id and not row.claimed_by:
            raise Refused(
                f"Order {row.client_order_id} was {row.get_state_display().lower()} before it was fetched.",
                code="not_to_be_placed",
                hint="Cancel it.",
            )
        row.broker_order_id = broker_order_id
        if row.state in (S.WAITING, S.CLAIMED):
            api_order_move(row, S.ACKNOWLEDGED)
    return order


def api_order_reject(*, order: ApiOrder, code: str, detail: str, origin: Origin) -> ApiOrder:
    """Record that the broker refuses an order, with the kind of no and its words. Raises Refused once it has filled."""
    _require_name("code", code, 40)
    with changing(order, kind="api_order.rejected", origin=origin) as change:
        if change.row.state != S.REJECTED:
            _require_unfilled(change.row)
            api_order_move(change.row, S.REJECTED, code=code, detail=detail)
    return order


def api_cancel_confirm(*, order: ApiOrder, origin: Origin, detail: str = "") -> ApiOrder:
    """Record that the broker has cancelled what was left of an order, asked or not. Raises Refused where it ended."""
    with changing(order, kind="api_order.cancelled", origin=origin) as change:
        if change.row.state != S.CANCELLED:
            api_order_move(change.row, S.CANCELLED, detail=detail or "cancelled by the broker")
    return order


def api_cancel_decline(*, order: ApiOrder, detail: str, origin: Origin) -> ApiOrder:
    """Record that the broker does not cancel an order, with its words: too late, for example. The order stays at work.

    The same again changes nothing. Raises Refused without words, and where no cancellation is asked for.
    """
    _require_name("detail", detail, 240)
    with changing(order, kind="api_order.cancel_declined", origin=origin) as change:
        row = change.row
        if row.cancel_declined == detail and row.is_open and row.state != S.CANCEL_ASKED:
            return order
        if row.state != S.CANCEL_ASKED:
            raise Refused(
                f"Order {row.client_order_id} is {row.get_state_display().lower()}; nobody asks for its cancellation.",
                code="not_asked",
            )
        api_order_move(row, S.PARTIALLY_FILLED if row.filled_quantity else S.ACKNOWLEDGED)
        row.cancel_declined = detail
    return order


def api_order_expire(*, order: ApiOrder, origin: Origin) -> ApiOrder:
    """Record that an order's time is over at the broker. Raises Refused where it ended otherwise."""
    with changing(order, kind="api_order.expired", origin=origin) as change:
        if change.row.state != S.EXPIRED:
            api_order_move(change.row, S.EXPIRED, detail="its time was over")
    return order


def _is_late(order: ApiOrder, moment: dt.datetime) -> bool:
    return order.expires_at is not None and order.expires_at <= moment


def _require_unfilled(order: ApiOrder) -> None:
    if order.filled_quantity > 0:
        raise Refused(
            f"Order {order.client_order_id} has filled {order.filled_quantity.normalize():f} shares and cannot be "
            "refused.",
            code="filled",
            hint="Say that the rest is cancelled.",
        )


def _require_name(name: str, value: str, most: int) -> None:
    if not value or len(value) > most or not value.isprintable():
        raise Refused(f"{name} is {value!r}; expected a text of 1 to {most} characters.", code="bad_id")
