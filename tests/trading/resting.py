"""Cells that rest orders, looked at minute by minute."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import time_machine

from portfolios.models import Cell
from tests.trading.builders import OPEN, Desk, open_cell, tick
from trading.models import Evaluation, Order
from trading.services.orders import orders_send

# 50 shares and 5,000.00 at 100. At 103: (100/103 − 1)·1.6667·10,150/103 = −4.78; at 97: (100/97 − 1)·1.6667·9,850/97.
SELL, BUY = ("SELL", Decimal("103.000000"), Decimal("4.783769")), ("BUY", Decimal("97.000000"), Decimal("5.234454"))


def resting(desk: Desk, **changes: Any) -> Cell:
    return open_cell(desk.portfolio, execution="resting", **changes)


def look(desk: Desk, price: str, minute: float, *, sends: int = 1) -> Evaluation:
    """Tick so many minutes after the first, send so often and return the newest evaluation."""
    moment = OPEN + dt.timedelta(minutes=minute)
    with time_machine.travel(moment, tick=False):
        tick(desk.portfolio, {"IBM": price}, moment)
        for _ in range(sends):
            orders_send(account_id=desk.account.pk)
    return Evaluation.objects.order_by("id").last()


def rests(*statuses: str) -> list[tuple[str, Decimal, Decimal]]:
    """Return side, limit and quantity of the orders that rest, in the order they were laid."""
    rows = Order.objects.filter(purpose="resting", status__in=statuses or ["accepted", "partially_filled"])
    return list(rows.order_by("id").values_list("side", "limit_price", "quantity"))
