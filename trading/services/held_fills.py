"""What a person decides about fills that belong to no order of ours: adopt, re-anchor or ignore. Each once."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from portfolios.models import Cell
from portfolios.selectors import commission_terms
from portfolios.services.anchors import cell_set_anchor
from portfolios.services.changes import changing
from portfolios.services.checks import require_not_archived, require_reason
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.brokers.base import FillReport
from trading.feeds.sources import source_of
from trading.models import Fill, HeldFill, HeldFillResolution, Order
from trading.services.fills import fill_onto, fill_told
from volbal.common import clock
from volbal.common.errors import Conflict, Refused

Decision = HeldFillResolution.Decision


def held_fill_adopt(*, held: HeldFill, cell: Cell, origin: Origin, re_anchor: bool = False) -> HeldFillResolution:
    """Book a held fill on a cell, through an order that stands for the broker's: money, shares and anchor move.

    With `re_anchor` the cell's anchor becomes exactly this fill's price, whatever else of its order was adopted. The
    same decision again changes nothing. Raises Refused without a reason, for another account's or instrument's cell,
    an archived cell, and where it was decided otherwise before.
    """
    require_reason(origin, "Adopting a fill")
    decision = Decision.RE_ANCHOR if re_anchor else Decision.ADOPT
    with transaction.atomic():
        with changing(cell, kind="fill.adopted", origin=origin, as_of=held.as_of) as change:
            known = _decided(held)
            if known is not None:
                return _same(known, decision, cell)
            _require_fits(held, change.row)
            order = _order_for(held, change.row, origin)
            fill = fill_onto(cell=change.row, order=order, report=_report(held, order))
            made = _decide(held, decision, origin, fill)
            change.details |= {"held": held.pk, **fill_told(order, fill)}
        if re_anchor:
            cell_set_anchor(cell=cell, anchor=held.price, as_of=held.as_of, origin=origin)
    return made


def held_fill_ignore(*, held: HeldFill, origin: Origin) -> HeldFillResolution:
    """Leave a held fill out of our books, for a reason; what the broker has more is then reconciliation's.

    The same again changes nothing. Raises Refused without a reason and for one that was adopted.
    """
    require_reason(origin, "Ignoring a fill")
    with transaction.atomic():
        known = _decided(held)
        if known is not None:
            return _same(known, Decision.IGNORE, None)
        made = _decide(held, Decision.IGNORE, origin, None)
        event_record(
            kind="fill.ignored",
            subject=subject_of(held.account),
            origin=origin,
            after={"held": held.pk, "broker_fill_id": held.broker_fill_id},
            as_of=held.as_of,
            tenant_id=held.tenant_id,
        )
    return made


def _decided(held: HeldFill) -> HeldFillResolution | None:
    return HeldFillResolution.objects.filter(held=held).select_related("fill__order").first()


def _same(known: HeldFillResolution, decision: str, cell: Cell | None) -> HeldFillResolution:
    """Return a decision that is made again. Raises Refused where it was another."""
    where = None if known.fill is None else known.fill.order.cell_id
    if known.decision == decision and where == (None if cell is None else cell.pk):
        return known
    raise Refused(
        f"{known.held} was {known.get_decision_display().lower()} on {known.recorded_at:%Y-%m-%d %H:%M} UTC.",
        code="decided",
        hint="Correct the books by a reversal or an adjustment if that was wrong.",
    )


def _decide(held: HeldFill, decision: str, origin: Origin, fill: Fill | None) -> HeldFillResolution:
    try:
        with transaction.atomic():
            return HeldFillResolution.objects.create(
                tenant_id=held.tenant_id,
                held=held,
                decision=decision,
                fill=fill,
                actor_id=origin.actor_id,
                reason=origin.reason,
            )
    except IntegrityError:
        raise Conflict(f"{held} was decided by someone else at the same moment; nothing was changed.") from None


def _require_fits(held: HeldFill, cell: Cell) -> None:
    require_not_archived(cell)
    if cell.portfolio.account_id != held.account_id:
        raise Refused(f"{cell} is not in {held.account}, where the fill was reported.", code="other_account")
    if cell.instrument.symbol != held.symbol:
        raise Refused(f"{cell} holds {cell.instrument.symbol}, the fill is of {held.symbol}.", code="other_instrument")


def _order_for(held: HeldFill, cell: Cell, origin: Origin) -> Order:
    """Return the order that stands for the broker's in this cell, one more share of it ordered for each filled."""
    theirs = Order.objects.filter(purpose=Order.Purpose.ADOPTED, account_id=held.account_id, cell=cell, side=held.side)
    known = theirs.select_for_update(no_key=True).filter(broker_order_id=held.broker_order_id).first()
    if known is not None and held.broker_order_id:
        known.quantity += held.quantity
        known.save(update_fields=["quantity"])
        return known
    terms = commission_terms([cell])[cell.pk]
    return Order.objects.create(
        tenant_id=held.tenant_id,
        account_id=held.account_id,
        cell=cell,
        broker_order_id=held.broker_order_id,
        side=held.side,
        type=Order.Type.MARKET,
        purpose=Order.Purpose.ADOPTED,
        quantity=held.quantity,
        reason="adopted",
        note=origin.reason,
        actor_id=origin.actor_id,
        quote_source=source_of(cell.portfolio),
        commission_rate=terms.rate,
        commission_per_share=terms.per_share,
        commission_min=terms.minimum,
        commission_cap=terms.cap,
        status=Order.Status.ACCEPTED,
        status_at=clock.now(),
        as_of=held.as_of,
    )


def _report(held: HeldFill, order: Order) -> FillReport:
    return FillReport(
        cursor="",
        broker_fill_id=held.broker_fill_id,
        client_order_id=order.client_order_id,
        quantity=held.quantity,
        price=held.price,
        commission=held.commission,
        as_of=held.as_of,
    )
