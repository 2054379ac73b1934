"""The paper broker's own book. Nothing but `trading.brokers.paper` reads or writes it."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from portfolios.models import BrokerAccount, Instrument, TenantOwned
from portfolios.models.fields import money_field, price_field, shares_field
from volbal.common.append_only import append_only


class PaperOrder(TenantOwned):
    """An order as the simulated broker keeps it."""

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="+")
    client_order_id = models.CharField(max_length=40)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=4)
    type = models.CharField(max_length=10, default="market")
    time_in_force = models.CharField(max_length=3, default="day")
    quantity = shares_field()
    limit_price = price_field(null=True, blank=True)
    stop_price = price_field(null=True, blank=True)
    quote_source = models.CharField(max_length=40)
    commission_rate = models.DecimalField(max_digits=9, decimal_places=8)
    commission_per_share = price_field(default=Decimal(0))
    commission_min = money_field()
    commission_cap = money_field(null=True, blank=True)
    is_open = models.BooleanField(default=True)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "client_order_id"], name="paper_order_once")]
        indexes = [models.Index(fields=["account"], condition=models.Q(is_open=True), name="paper_order_open")]

    def __str__(self) -> str:
        return self.client_order_id


@append_only
class PaperFill(TenantOwned):
    """A fill as the simulated broker reports it."""

    order = models.ForeignKey(PaperOrder, on_delete=models.PROTECT, related_name="fills")
    quantity = shares_field()
    price = price_field()
    notional = money_field()
    commission = money_field()
    as_of = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.quantity} at {self.price}"
