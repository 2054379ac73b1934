"""Booking fills: one transaction for the fill, its ledger entries, the order and the cell (strategy 7)."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import DataError

from portfolios.models import BrokerAccount, Cell, LedgerEntry
from portfolios.services.cells import cell_halt
from portfolios.services.changes import changing
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from trading.brokers.base import FillReport
from trading.marketdata.calendars import exchange_calendar
from trading.models import Fill, Order
from trading.services.holding import fill_hold
from trading.services.marks import mark_refresh
from trading.services.order_ends import end_told
from trading.services.order_plans import position_at_end, slice_filled
from trading.services.order_states import order_move
from trading.services.positions import position_of, position_write
from trading.services.protective_stop import halt_if_stopped
from trading.services.refusals import report_refuse
from trading.services.report_checks import Refusal, fill_kept, fill_refusal
from trading.services.resting_wakes import order_count, rests_look_again
from volbal.common import numbers
from volbal.common.errors import Conflict, VolbalError
from volbal.common.tenancy import require_tenant
from volbal.strategy import cents
from volbal.strategy.fills import Booking, OrderFilled, Position, book_fill

ORIGIN = Origin(task="fill")
UNFILLED_ENDS = (Order.Status.CANCELLED, Order.Status.REJECTED, Order.Status.EXPIRED)


logger = logging.getLogger(__name__)


def fill_book(*, account: BrokerAccount, report: FillReport) -> Fill | None:
    """Take a broker's report once; return the fill where it was booked by this call.

    A report is a fact: when it makes cash or shares negative it is booked all the same and the cell halts. One that
    belongs to no order of ours is held for a person, and one that makes no sense, or cannot be booked, is refused and
    kept (strategy 7). Raises Conflict where another process was in the way, and ScopeError for an account of another
    tenant.
    """
    require_tenant(account.tenant_id)
    try:
        return _take(account, report)
    except Conflict:
        raise
    except (VolbalError, ArithmeticError, ValueError, DataError) as fault:
        # One report must not stand in the way of those behind it.
        logger.exception("a report of account %s could not be booked", account.pk)
        refusal = Refusal("not_bookable", f"It could not be booked: {fault}")
        report_refuse(account=account, payload=report, code=refusal.code, sentence=refusal.sentence)
        return None


def _take(account: BrokerAccount, report: FillReport) -> Fill | None:
    ours = Order.objects.filter(account=account).select_related("cell__instrument")
    order = ours.filter(client_order_id=report.client_order_id).first() if report.client_order_id else None
    refusal = fill_refusal(account, report, order)
    if refusal is not None:
        report_refuse(account=account, payload=report, code=refusal.code, sentence=refusal.sentence)
        return None
    kept = fill_kept(report)
    if order is None:
        fill_hold(account=account, report=kept)
        return None
    with changing(Cell(pk=order.cell_id), kind="cell.filled", origin=ORIGIN, as_of=kept.as_of) as change:
        # The cell is locked now, so that what follows is read once by one process.
        if Fill.objects.filter(account=account, broker_fill_id=kept.broker_fill_id).exists():
            return None
        order = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
        fill = fill_onto(cell=change.row, order=order, report=kept)
        change.details |= fill_told(order, fill)
    return fill


def fill_onto(*, cell: Cell, order: Order, report: FillReport) -> Fill:
    """Book a checked report on an order and its cell, both of which the caller holds locked (see `changing`).

    Shares are booked to 1e-6: each fill by as much as the order's sum, rounded, grows. However finely a broker cuts an
    order, its parts add up to the whole.
    """
    told = report.quantity
    report = replace(report, quantity=numbers.shares(order.told_quantity + told) - order.filled_quantity)
    booking, filled = _booking(cell, order, report)
    fill = Fill.objects.create(
        tenant_id=order.tenant_id,
        account_id=order.account_id,
        broker_fill_id=report.broker_fill_id,
        order=order,
        quantity=report.quantity,
        told_quantity=None if told == report.quantity else told,
        price=report.price,
        notional=numbers.money(booking.notional),
        commission=numbers.money(booking.commission),
        as_of=report.as_of,
    )
    book(account=order.account, owner=cell, movements=_movements(order, fill), as_of=fill.as_of, origin=ORIGIN)
    _advance_order(order, report, filled, told)
    position = booking.position
    if not order.is_counted:
        order_count(cell=cell, order=order, as_of=report.as_of)
    if order.plan is not None:
        slice_filled(plan=order.plan, quantity=report.quantity, price=report.price)
    if order.has_ended:
        position = position_at_end(order=order, position=position, filled=filled, as_of=report.as_of)
    position_write(cell, position, report.as_of)
    halt_if_stopped(cell=cell, order=order)
    halt_if_negative(cell, position)
    mark_refresh(cell=cell, day=exchange_calendar(cell.instrument.exchange).day_of(report.as_of))
    rests_look_again(cell)
    return fill


def _booking(cell: Cell, order: Order, report: FillReport) -> tuple[Booking, OrderFilled]:
    so_far = OrderFilled(
        quantity=float(order.filled_quantity),
        gross=float(order.filled_value),
        notional=float(order.notional),
        commission=float(order.commission),
    )
    signed = float(report.quantity) if order.side == Order.Side.BUY else -float(report.quantity)
    commission = _commission(order, report)
    return book_fill(position_of(cell), so_far, signed, float(report.price), float(commission))


def _commission(order: Order, report: FillReport) -> Decimal:
    """Return the order's commission in all once a report is booked: what a broker tells with a fill is that fill's."""
    return _estimated(order, report) if report.commission is None else Decimal(order.commission) + report.commission


def _estimated(order: Order, report: FillReport) -> Decimal:
    """Return the order's commission in all by its schedule; what the broker told so far is kept as it is."""
    gross = float(order.filled_value) + float(report.quantity) * float(report.price)
    terms, quantity = order.commission_terms, order.filled_quantity + report.quantity
    after = terms.commission(quantity=quantity, notional=numbers.money(float(cents(gross))))
    if not order.commission_is_told:
        return after
    before = terms.commission(quantity=order.filled_quantity, notional=order.notional)
    return Decimal(order.commission) + after - before


def _movements(order: Order, fill: Fill) -> list[Movement]:
    buying = order.side == Order.Side.BUY
    trade = Movement(
        kind=LedgerEntry.Kind.BUY if buying else LedgerEntry.Kind.SELL,
        key=f"fill:{fill.pk}",
        cash=-fill.notional if buying else fill.notional,
        shares=fill.quantity if buying else -fill.quantity,
        price=fill.price,
        note=order.reason,
    )
    fee = Movement(kind=LedgerEntry.Kind.COMMISSION, key=f"fill:{fill.pk}:commission", cash=-fill.commission)
    return [trade, fee] if fill.commission else [trade]


def _advance_order(order: Order, report: FillReport, filled: OrderFilled, told: Decimal) -> None:
    order.filled_quantity += report.quantity
    order.told_quantity += told
    order.filled_value += report.quantity * report.price
    order.notional = numbers.money(filled.notional)
    order.commission = numbers.money(filled.commission)
    order.commission_is_told |= report.commission is not None
    order.is_overfilled = order.filled_quantity > order.quantity
    order.save(
        update_fields=[
            "filled_quantity", "told_quantity", "filled_value", "notional", "commission", "commission_is_told",
            "is_overfilled",
        ]
    )  # fmt: skip
    after = _state_after(order)
    if after is not None:
        order_move(order, after, detail=order.status_detail if after in UNFILLED_ENDS else "")


def _state_after(order: Order) -> Order.Status | None:
    """Return the state that a fill moves its order to; None where it stays."""
    if order.status == Order.Status.FILLED:
        return None
    if order.filled_quantity >= order.quantity:
        return Order.Status.FILLED
    if order.has_ended:
        return None
    # The last part of an order that its broker had ended already.
    end = end_told(order)
    if end is not None:
        return end
    return None if order.status == Order.Status.CANCELLING else Order.Status.PARTIALLY_FILLED


def halt_if_negative(cell: Cell, position: Position) -> None:
    """Halt a cell that a report left below zero; one that is halted for it keeps its first reason."""
    if position.cash < 0.0 or position.shares < 0.0:
        reason = f"A fill left cash {position.cash:.2f} and {position.shares:.6f} shares."
        cell_halt(cell=cell, origin=Origin(task=ORIGIN.task, reason=reason), cause="negative_holding")


def fill_told(order: Order, fill: Fill) -> dict[str, Any]:
    """Return what an event says of a fill."""
    return {
        "order": order.pk,
        "fill": fill.pk,
        "side": order.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "notional": fill.notional,
        "commission": fill.commission,
    }
