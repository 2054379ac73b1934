"""A simulated broker with a book of its own: it fills on the newest quote of the order's source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount, Instrument
from trading.brokers.base import (
    BrokerOrder,
    BrokerOrderStatus,
    BrokerRejectedError,
    BrokerUpdate,
    Capabilities,
    FillReport,
    Holdings,
    OrderRequest,
)
from trading.models import PaperFill, PaperOrder, Quote
from volbal.common import numbers
from volbal.strategy.numeric import cents


class PaperBroker:
    """Fill marketable orders in full at the last price; keep the others until a quote reaches them.

    It behaves towards us as a remote broker does: its book is its own, a client order id is placed once whatever is
    repeated, and fills are learned by asking for reports.
    """

    def __init__(self, account: BrokerAccount) -> None:
        self.account = account
        self.capabilities = Capabilities(extended_hours=True, reports_commission=True)

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Place an order and try to fill it at once. Raises BrokerRejectedError on an unknown symbol."""
        instrument = Instrument.objects.filter(symbol=request.symbol).first()
        if instrument is None:
            raise BrokerRejectedError(f"unknown symbol {request.symbol}")
        with transaction.atomic():
            order, _ = PaperOrder.objects.get_or_create(
                account=self.account,
                client_order_id=request.client_order_id,
                defaults={
                    "tenant_id": self.account.tenant_id,
                    "instrument": instrument,
                    "side": request.side,
                    "type": request.type,
                    "time_in_force": request.time_in_force,
                    "quantity": request.quantity,
                    "limit_price": request.limit_price,
                    "stop_price": request.stop_price,
                    "quote_source": request.quote_source,
                    "commission_rate": request.commission.rate,
                    "commission_per_share": request.commission.per_share,
                    "commission_min": request.commission.minimum,
                    "commission_cap": request.commission.cap,
                },
            )
        self._match(order.pk)
        order.refresh_from_db()
        return _as_reported(order)

    def cancel(self, client_order_id: str) -> bool:
        """Cancel an order; return whether it was still open."""
        return bool(self._orders().filter(client_order_id=client_order_id, is_open=True).update(is_open=False))

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return the book's view of one order, or None where it was never placed."""
        order = self._orders().filter(client_order_id=client_order_id).first()
        return None if order is None else _as_reported(order)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all orders still working."""
        return [_as_reported(order) for order in self._orders().filter(is_open=True).order_by("id")]

    def fills_since(self, cursor: str) -> Sequence[FillReport]:
        """Match what is open against the newest quotes, then return reports after `cursor`, oldest first."""
        for order_id in self._orders().filter(is_open=True).order_by("id").values_list("id", flat=True):
            self._match(order_id)
        fills = PaperFill.objects.filter(order__account=self.account, id__gt=int(cursor or 0)).select_related(
            "order__instrument"
        )
        return [
            FillReport(
                cursor=str(fill.pk),
                broker_fill_id=f"paper-{fill.pk}",
                client_order_id=fill.order.client_order_id,
                quantity=fill.quantity,
                price=fill.price,
                order_commission=fill.commission,
                as_of=fill.as_of,
                broker_order_id=f"P{fill.order_id}",
                symbol=fill.order.instrument.symbol,
                side=fill.order.side,
                currency=self.account.currency,
            )
            for fill in fills.order_by("id")
        ]

    def holdings(self) -> Holdings:
        """Return what the book's fills add up to."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        cash = numbers.ZERO
        for fill in PaperFill.objects.filter(order__account=self.account).select_related("order__instrument"):
            sign = 1 if fill.order.side == "BUY" else -1
            held[fill.order.instrument.symbol] += sign * fill.quantity
            cash -= sign * fill.notional + fill.commission
        return Holdings(shares=dict(held), cash=cash, is_total=False)

    def stream(self) -> Iterator[BrokerUpdate]:
        """Yield nothing: this broker is asked."""
        return iter(())

    def _orders(self) -> QuerySet[PaperOrder]:
        return PaperOrder.objects.filter(account=self.account)

    def _match(self, order_id: int) -> None:
        """Fill an open order in full where the newest quote of its source reaches its limit."""
        with transaction.atomic():
            # One fill of an account at a time: their ids are the cursor of its reports, and an id that is committed
            # after a higher one would never be read.
            BrokerAccount.objects.select_for_update(no_key=True).get(pk=self.account.pk)
            order = PaperOrder.objects.select_for_update(no_key=True).get(pk=order_id)
            quote = Quote.objects.filter(source=order.quote_source, instrument_id=order.instrument_id).first()
            if not order.is_open or quote is None or quote.last is None or not _reaches(order, quote.last):
                return
            notional = cents(float(order.quantity) * float(quote.last))
            terms = CommissionTerms(
                order.commission_rate, order.commission_per_share, order.commission_min, order.commission_cap
            )
            booked = numbers.money(float(notional))
            PaperFill.objects.create(
                tenant_id=order.tenant_id,
                order=order,
                quantity=order.quantity,
                price=quote.last,
                notional=booked,
                commission=terms.commission(quantity=order.quantity, notional=booked),
                as_of=quote.as_of,
            )
            order.is_open = False
            order.save(update_fields=["is_open"])


def _reaches(order: PaperOrder, last: Decimal) -> bool:
    limit: Decimal | None = order.limit_price
    if limit is None:
        return True
    return last <= limit if order.side == "BUY" else last >= limit


def _as_reported(order: PaperOrder) -> BrokerOrder:
    status = BrokerOrderStatus.WORKING if order.is_open else BrokerOrderStatus.CANCELLED
    return BrokerOrder(order.client_order_id, f"P{order.pk}", status)
