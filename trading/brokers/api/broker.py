"""The adapter: it lays orders out for the broker to fetch, and answers from what the broker reported."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from portfolios.models import BrokerAccount, Instrument
from trading.brokers.api.settings import ApiSettings
from trading.brokers.api.states import api_order_move
from trading.brokers.base import (
    BrokerOrder,
    BrokerOrderStatus,
    BrokerRejectedError,
    BrokerUnreachableError,
    BrokerUpdate,
    CashReport,
    DoubtfulReport,
    FillReport,
    Holdings,
    OrderRequest,
)
from trading.brokers.requests import require_sense
from trading.models import ApiFill, ApiHoldings, ApiOrder
from volbal.common import clock

S = ApiOrder.State
_STATUSES = {
    S.WAITING: BrokerOrderStatus.RECEIVED,
    S.CLAIMED: BrokerOrderStatus.RECEIVED,
    S.ACKNOWLEDGED: BrokerOrderStatus.WORKING,
    S.PARTIALLY_FILLED: BrokerOrderStatus.PARTIALLY_FILLED,
    S.FILLED: BrokerOrderStatus.FILLED,
    S.CANCEL_ASKED: BrokerOrderStatus.CANCELLING,
    S.CANCELLED: BrokerOrderStatus.CANCELLED,
    S.REJECTED: BrokerOrderStatus.REJECTED,
    S.EXPIRED: BrokerOrderStatus.EXPIRED,
}


class ApiBroker:
    """One account at a broker that fetches its orders. Nothing here waits for that broker."""

    def __init__(self, account: BrokerAccount) -> None:
        self.account, self.settings = account, ApiSettings.of(account)
        self.capabilities = self.settings.capabilities

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Lay an order out once, whatever is repeated. Raises BrokerRejectedError with a code."""
        require_sense(request, self.capabilities)
        if not Instrument.objects.filter(symbol=request.symbol).exists():
            raise BrokerRejectedError(f"unknown symbol {request.symbol}", code="unknown_symbol")
        order, _ = ApiOrder.objects.get_or_create(
            account=self.account,
            client_order_id=request.client_order_id,
            defaults={
                "tenant_id": self.account.tenant_id,
                "symbol": request.symbol,
                "side": request.side,
                "type": request.type,
                "time_in_force": request.time_in_force,
                "quantity": request.quantity,
                "limit_price": request.limit_price,
                "stop_price": request.stop_price,
                "extended_hours": request.extended_hours,
                "expires_at": request.expires_at,
            },
        )
        return _as_reported(order)

    def cancel(self, client_order_id: str) -> bool:
        """Withdraw an order that nobody fetched, else ask its broker to; return whether it was still open."""
        with transaction.atomic():
            order = self._orders().select_for_update(no_key=True).filter(client_order_id=client_order_id).first()
            if order is None or not order.is_open:
                return False
            if order.state == S.WAITING:
                api_order_move(order, S.CANCELLED, detail="withdrawn before it was fetched")
            elif order.state != S.CANCEL_ASKED:
                api_order_move(order, S.CANCEL_ASKED)
                order.cancel_declined = ""
            order.save()
        return True

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return an order as far as its broker told, or None where it was never laid out."""
        self._end_unfetched()
        order = self._orders().filter(client_order_id=client_order_id).first()
        return None if order is None else _as_reported(order)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Return the orders that have not ended."""
        self._end_unfetched()
        return [_as_reported(order) for order in self._orders().exclude(state__in=ApiOrder.ENDED).order_by("id")]

    def fills_since(self, cursor: str) -> Sequence[FillReport]:
        """Return what the broker reported after `cursor`, in the order it was recorded."""
        rows = ApiFill.objects.filter(account=self.account, id__gt=int(cursor or 0)).order_by("id")
        return [fill_report(fill) for fill in rows]

    def cash_since(self, moment: dt.datetime) -> Sequence[CashReport | DoubtfulReport]:
        """Return nothing: its broker tells what it holds, and no movement of cash apart."""
        return ()

    def holdings(self) -> Holdings:
        """Return what the broker last said it holds. Raises BrokerUnreachableError where it never did."""
        told = ApiHoldings.objects.filter(account=self.account).order_by("-as_of").first()
        if told is None:
            raise BrokerUnreachableError("the broker has not told what it holds yet")
        return Holdings(shares={symbol: Decimal(held) for symbol, held in told.shares.items()}, cash=told.cash)

    def stream(self) -> Iterator[BrokerUpdate]:
        """Yield nothing: what the broker reports is read from its rows."""
        return iter(())

    def _orders(self) -> QuerySet[ApiOrder]:
        return ApiOrder.objects.filter(account=self.account)

    def _end_unfetched(self) -> None:
        """End orders that nobody fetched before they expired; one that was fetched is its broker's to end."""
        moment = clock.now()
        late = self._orders().filter(state=S.WAITING, expires_at__lte=moment)
        late.update(state=S.EXPIRED, state_at=moment, detail="not fetched in time")


def fill_report(fill: ApiFill) -> FillReport:
    """Return a recorded fill as it is told to those who book it."""
    return FillReport(
        cursor=str(fill.pk),
        broker_fill_id=fill.broker_fill_id,
        client_order_id=fill.client_order_id,
        quantity=fill.quantity,
        price=fill.price,
        commission=fill.commission,
        as_of=fill.as_of,
        broker_order_id=fill.broker_order_id,
        symbol=fill.symbol,
        side=fill.side,
        currency=fill.currency,
    )


def _as_reported(order: ApiOrder) -> BrokerOrder:
    return BrokerOrder(
        client_order_id=order.client_order_id,
        # Until the broker tells its own number, the row's stands for it.
        broker_order_id=order.broker_order_id or f"A{order.pk}",
        status=_STATUSES[S(order.state)],
        filled_quantity=order.filled_quantity,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        detail=order.detail,
        reject_code=order.code,
        cancel_declined=order.cancel_declined,
    )
