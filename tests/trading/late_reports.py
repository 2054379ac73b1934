"""Actions and fills that arrive late or are corrected, as tests make them.

A cell of 50 shares and 5,000.00, opened on 6 March 2024 and anchored at 100. 7, 8, 11, 12, 13 March are sessions.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from portfolios.models import Cell
from portfolios.services import Origin
from tests.trading.builders import Desk, fresh, tick
from trading.brokers.base import FillReport
from trading.models import CorporateAction, Order
from trading.services.action_changes import Correction, action_correct
from trading.services.corporate_actions import cells_settle
from trading.services.fills import fill_book
from trading.services.order_states import order_move

DAYS = tuple(dt.date(2024, 3, day) for day in (7, 8, 11, 12, 13))
REASON = Origin(task="test", reason="the issuer corrected it")


def at(day: dt.date, hour: int = 15, minute: int = 30) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), dt.UTC)


def held(cell: Cell) -> tuple[Decimal | None, ...]:
    row = fresh(cell)
    return row.shares, row.anchor, row.cash, row.receivable


def look(desk: Desk, *days: dt.date, price: str = "100") -> None:
    for day in days:
        tick(desk.portfolio, {"IBM": price}, at(day))


def report(cell: Cell, shares: str, price: str, as_of: dt.datetime, *, moves_anchor: bool = False) -> None:
    """Book a fill of an order that never was, as brokers report them: whenever."""
    quantity = abs(Decimal(shares))
    order = Order.objects.create(
        tenant_id=cell.tenant_id,
        account=cell.portfolio.account,
        cell=cell,
        side="BUY" if Decimal(shares) > 0 else "SELL",
        quantity=quantity if moves_anchor else quantity * 3,
        reason="trigger_down",
        quote_source="test",
        commission_rate=Decimal(0),
        status_at=as_of,
        as_of=as_of,
    )
    for status in (Order.Status.SUBMITTING, Order.Status.SUBMITTED):
        order_move(order, status)
    if not moves_anchor:
        order_move(order, Order.Status.EXPIRED)
    fill = FillReport(
        cursor=str(order.pk),
        broker_fill_id=f"F{order.pk}",
        client_order_id=order.client_order_id,
        quantity=quantity,
        price=Decimal(price),
        commission=Decimal(0),
        as_of=as_of,
    )
    assert fill_book(account=cell.portfolio.account, report=fill) is not None


def correct(action: CorporateAction, **changes: Any) -> CorporateAction:
    row = action_correct(action=action, correction=Correction(**changes), origin=REASON)
    cells_settle(instrument=row.instrument, origin=REASON)
    return row
