"""Booking fills: one transaction for the fill, its ledger entries, the order and the cell (strategy 7)."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from portfolios.models import BrokerAccount, Cell, Event, LedgerEntry
from portfolios.services.changes import changing, lock
from portfolios.services.events import event_record, subject_of
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from trading.brokers.base import FillReport
from trading.models import Fill, Order
from trading.services.marks import mark_refresh
from trading.services.order_states import order_move
from trading.services.positions import position_of, position_write
from volbal.common import numbers
from volbal.strategy import cents
from volbal.strategy.fills import Booking, OrderFilled, Position, book_fill, end_order

ORIGIN = Origin(task="fill")


def fill_book(*, account: BrokerAccount, report: FillReport) -> Fill | None:
    """Book a broker's report once; the same report again changes nothing and returns None.

    A report is a fact: when it makes cash or shares negative it is booked all the same and the cell halts.
    A report for an order we never made is recorded as an event for a person and moves no cell.
    """
    with transaction.atomic():
        order = Order.objects.filter(account=account, client_order_id=report.client_order_id).first()
        if order is None:
            _record_foreign(account, report)
            return None
        with changing(Cell(pk=order.cell_id), kind="cell.filled", origin=ORIGIN, as_of=report.as_of) as change:
            # The cell is locked now, so that what follows is read once by one process.
            if Fill.objects.filter(account=account, broker_fill_id=report.broker_fill_id).exists():
                return None
            order = Order.objects.select_for_update(no_key=True).get(pk=order.pk)
            fill = _book(change.row, order, report)
            change.details |= _told(order, fill)
    return fill


def _book(cell: Cell, order: Order, report: FillReport) -> Fill:
    booking, filled = _booking(cell, order, report)
    fill = Fill.objects.create(
        tenant_id=order.tenant_id,
        account_id=order.account_id,
        broker_fill_id=report.broker_fill_id,
        order=order,
        quantity=report.quantity,
        price=report.price,
        notional=numbers.money(booking.notional),
        commission=numbers.money(booking.commission),
        as_of=report.as_of,
    )
    book(account=order.account, owner=cell, movements=_movements(order, fill), as_of=fill.as_of, origin=ORIGIN)
    _advance_order(order, report, filled)
    position = booking.position
    if order.has_ended:
        position = end_order(position, filled, float(order.quantity))
    position_write(cell, position, report.as_of)
    _halt_if_negative(cell, position)
    mark_refresh(cell=cell)
    return fill


def _booking(cell: Cell, order: Order, report: FillReport) -> tuple[Booking, OrderFilled]:
    so_far = OrderFilled(
        quantity=float(order.filled_quantity),
        gross=float(order.filled_value),
        notional=float(order.notional),
        commission=float(order.commission),
    )
    signed = float(report.quantity) if order.side == Order.Side.BUY else -float(report.quantity)
    commission = report.order_commission
    if commission is None:
        gross = numbers.money(float(cents(so_far.gross + float(report.quantity) * float(report.price))))
        commission = order.commission_terms.commission(quantity=order.filled_quantity + report.quantity, notional=gross)
    return book_fill(position_of(cell), so_far, signed, float(report.price), float(commission))


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


def _advance_order(order: Order, report: FillReport, filled: OrderFilled) -> None:
    order.filled_quantity += report.quantity
    order.filled_value += report.quantity * report.price
    order.notional = numbers.money(filled.notional)
    order.commission = numbers.money(filled.commission)
    order.save(update_fields=["filled_quantity", "filled_value", "notional", "commission"])
    if order.status == Order.Status.FILLED:
        return
    if order.filled_quantity >= order.quantity:
        order_move(order, Order.Status.FILLED)
    elif order.status != Order.Status.CANCELLING and not order.has_ended:
        order_move(order, Order.Status.PARTIALLY_FILLED)


def _halt_if_negative(cell: Cell, position: Position) -> None:
    """Halt a cell that a report left below zero; one that is halted keeps its first reason."""
    if cell.status in (Cell.Status.HALTED, Cell.Status.ARCHIVED):
        return
    if position.cash < 0.0 or position.shares < 0.0:
        cell.status = Cell.Status.HALTED
        cell.status_reason = f"A fill left cash {position.cash:.2f} and {position.shares:.6f} shares."


def _told(order: Order, fill: Fill) -> dict[str, Any]:
    return {
        "order": order.pk,
        "fill": fill.pk,
        "side": order.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "notional": fill.notional,
        "commission": fill.commission,
    }


def _record_foreign(account: BrokerAccount, report: FillReport) -> None:
    kind, subject = "fill.foreign", subject_of(account)
    lock(account)
    told = Event.objects.filter(kind=kind, subject=subject, after__broker_fill_id=report.broker_fill_id)
    if told.exists():
        return
    event_record(
        kind=kind,
        subject=subject,
        origin=ORIGIN,
        after={
            "broker_fill_id": report.broker_fill_id,
            "client_order_id": report.client_order_id,
            "quantity": report.quantity,
            "price": report.price,
        },
        as_of=report.as_of,
        tenant_id=account.tenant_id,
    )
