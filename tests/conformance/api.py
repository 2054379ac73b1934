"""The API broker under the suite: the harness is the broker, and does over the services what one does over the API."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal
from types import TracebackType
from typing import Self

from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount
from portfolios.services import tenant_create, user_create
from tests.conformance.harness import SYMBOL, TELLS_NO_CASH, NotSupportedError, is_reached
from tests.portfolios.builders import BY_TEST, make_instrument
from trading.brokers.api import ApiBroker
from trading.brokers.base import Broker, BrokerOrderStatus, FillReport, TimeInForce
from trading.models import ApiFill, ApiOrder
from trading.selectors.api_broker import api_orders_waiting
from trading.services.accounts import account_open
from trading.services.api_orders import (
    api_cancel_confirm,
    api_order_acknowledge,
    api_order_claim,
    api_order_expire,
    api_order_reject,
)
from trading.services.api_reports import api_fills_report, api_holdings_publish
from volbal.common import clock, numbers
from volbal.common.tenancy import tenant_scope

OUR_OWN_TABLE = "orders wait in our own tables, which always answer; a silent broker is one that fetches nothing"


class ApiHarness:
    """A broker that fetches on every move of its market, and reports each fill with what it holds after it."""

    name = "api"
    quote_source = ""
    lacks: Mapping[str, str] = {
        "stream": "is asked, and streams nothing",
        "unreachable": OUR_OWN_TABLE,
        "lost_answer": OUR_OWN_TABLE,
        "lost_answer_to_cancel": OUR_OWN_TABLE,
        "cash_movement": TELLS_NO_CASH,
    }

    def __init__(self) -> None:
        self._open = ExitStack()
        self._refuses = False
        self._held: Decimal = Decimal(0)
        self._cash = Decimal(1_000_000)

    def __enter__(self) -> Self:
        owner = user_create(email="owner@conformance.example", password="long enough 1", origin=BY_TEST)
        tenant = tenant_create(name="Conformance", slug="conformance", owner=owner, origin=BY_TEST)
        self._open.enter_context(tenant_scope(tenant.pk))
        make_instrument(SYMBOL)
        self.account = account_open(tenant=tenant, name="Main", broker="api", origin=BY_TEST)
        self._publish()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def broker(self) -> Broker:
        return ApiBroker(BrokerAccount.objects.get(pk=self.account.pk))

    def price(self, last: Decimal) -> None:
        self._fetch()
        for order in self._working():
            if is_reached(order.type, order.side, last, limit=order.limit_price, stop=order.stop_price):
                self._report(order, order.quantity - order.filled_quantity, last)
            elif order.time_in_force == TimeInForce.IOC:
                api_order_expire(order=order, origin=BY_TEST)

    def fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        self._fetch()
        self._report(self._order(client_order_id), quantity, price)

    def garble_fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        self._fetch()
        garbled = self._fill_report(self._order(client_order_id), Decimal("NaN"), price)
        assert not api_fills_report(account=self.account, reports=[garbled], origin=BY_TEST)[0].is_taken

    def take_fee(self, amount: Decimal) -> None:
        raise NotSupportedError(TELLS_NO_CASH)

    def end(self, client_order_id: str, status: BrokerOrderStatus) -> None:
        self._fetch()
        ends = {BrokerOrderStatus.EXPIRED: api_order_expire, BrokerOrderStatus.CANCELLED: api_cancel_confirm}
        ends[status](order=self._order(client_order_id), origin=BY_TEST)

    def settle_cancel(self, client_order_id: str) -> None:
        for order in api_orders_waiting(account=self.account):
            if order.client_order_id == client_order_id and order.state == ApiOrder.State.CANCEL_ASKED:
                api_cancel_confirm(order=order, origin=BY_TEST)

    def refuse_next(self) -> None:
        self._refuses = True

    def lose_next_answer(self) -> None:
        raise NotSupportedError(OUR_OWN_TABLE)

    def drop_line(self) -> None:
        raise NotSupportedError(OUR_OWN_TABLE)

    def restore_line(self) -> None:
        raise NotSupportedError(OUR_OWN_TABLE)

    def _fetch(self) -> None:
        for order in api_orders_waiting(account=self.account):
            if order.state == ApiOrder.State.CANCEL_ASKED:
                continue
            api_order_claim(order=order, claimant="desk", origin=BY_TEST)
            if self._refuses:
                self._refuses = False
                api_order_reject(order=order, code="no_margin", detail="The margin does not allow it.", origin=BY_TEST)
            else:
                api_order_acknowledge(order=order, broker_order_id=f"D-{order.pk}", origin=BY_TEST)

    def _order(self, client_order_id: str) -> ApiOrder:
        return ApiOrder.objects.get(account=self.account, client_order_id=client_order_id)

    def _working(self) -> list[ApiOrder]:
        states = [ApiOrder.State.ACKNOWLEDGED, ApiOrder.State.PARTIALLY_FILLED]
        return list(ApiOrder.objects.filter(account=self.account, state__in=states).order_by("id"))

    def _fill_report(self, order: ApiOrder, quantity: Decimal, price: Decimal) -> FillReport:
        return FillReport(
            cursor="",
            broker_fill_id=f"E-{ApiFill.objects.count() + 1}",
            client_order_id=order.client_order_id,
            quantity=quantity,
            price=price,
            commission=Decimal(0) if quantity.is_nan() else self._commission(quantity, price),
            as_of=clock.now(),
        )

    def _commission(self, quantity: Decimal, price: Decimal) -> Decimal:
        return CommissionTerms().commission(quantity=quantity, notional=quantity * price)

    def _report(self, order: ApiOrder, quantity: Decimal, price: Decimal) -> None:
        report, commission = self._fill_report(order, quantity, price), self._commission(quantity, price)
        answers = api_fills_report(account=self.account, reports=[report], origin=BY_TEST)
        assert all(answer.is_taken for answer in answers), answers
        sign = 1 if order.side == "BUY" else -1
        self._held += sign * quantity
        self._cash -= numbers.money(sign * quantity * price) + commission
        self._publish()

    def _publish(self) -> None:
        api_holdings_publish(
            account=self.account, shares={SYMBOL: self._held}, cash=self._cash, as_of=clock.now(), origin=BY_TEST
        )
