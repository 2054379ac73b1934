"""What a broker that fetches orders does over the services: claims and reports, in short words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk
from trading.brokers.base import FillReport
from trading.models import ApiOrder
from trading.services.api_orders import api_order_claim
from trading.services.api_reports import api_fills_report


def report(name: str = "F-1", quantity: str = "4", price: str = "99", **others: Any) -> FillReport:
    whole: dict[str, Any] = {"client_order_id": "vb-1", "commission": None, "as_of": OPEN} | others
    return FillReport("", name, quantity=Decimal(quantity), price=Decimal(price), **whole)


def claimed(order: ApiOrder, by: str = "desk 1") -> ApiOrder:
    return api_order_claim(order=order, claimant=by, origin=BY_TEST)


def told(desk: Desk, *reports: FillReport) -> list[tuple[str, str]]:
    answers = api_fills_report(account=desk.account, reports=reports, origin=BY_TEST)
    return [(answer.broker_fill_id, answer.code) for answer in answers]
