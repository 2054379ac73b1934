"""Orders for brokers that fetch them over our API, and what those brokers reported."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from portfolios.models import BrokerAccount, TenantOwned
from portfolios.models.fields import exact_shares_field, money_field, price_field, shares_field
from volbal.common import clock
from volbal.common.append_only import append_only


class ApiOrder(TenantOwned):
    """An order laid out for its broker to fetch. Moves of `state` go through `trading.brokers.api.states` only."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting to be fetched"
        CLAIMED = "claimed", "Fetched"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        PARTIALLY_FILLED = "partially_filled", "Partially filled"
        FILLED = "filled", "Filled"
        CANCEL_ASKED = "cancel_asked", "Cancellation asked for"
        CANCELLED = "cancelled", "Cancelled"
        REJECTED = "rejected", "Rejected"
        EXPIRED = "expired", "Expired"

    ENDED = (State.FILLED, State.CANCELLED, State.REJECTED, State.EXPIRED)

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="api_orders")
    client_order_id = models.CharField(max_length=40)
    broker_order_id = models.CharField(max_length=64, blank=True, help_text="The broker's own, once it told it")
    symbol = models.CharField(max_length=16)
    side = models.CharField(max_length=4)
    type = models.CharField(max_length=10)
    time_in_force = models.CharField(max_length=3)
    quantity = shares_field()
    limit_price = price_field(null=True, blank=True)
    stop_price = price_field(null=True, blank=True)
    extended_hours = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    state_at = models.DateTimeField(default=clock.now)
    code = models.CharField(max_length=40, blank=True, help_text="What kind of no it was")
    detail = models.CharField(max_length=240, blank=True)
    cancel_declined = models.CharField(
        max_length=240, blank=True, help_text="Why its broker did not cancel it when last asked to"
    )
    claimed_by = models.CharField(max_length=80, blank=True)
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text="Offered again from then on unless it was acknowledged"
    )
    filled_quantity = exact_shares_field(default=Decimal(0))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["account", "client_order_id"], name="api_order_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0, filled_quantity__gte=0), name="api_order_bounds"),
        ]
        indexes = [
            models.Index(
                fields=["account", "id"],
                condition=~Q(state__in=["filled", "cancelled", "rejected", "expired"]),
                name="api_order_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity:f} {self.symbol}, {self.get_state_display().lower()}"

    @property
    def is_open(self) -> bool:
        """Whether its broker may still do something for it."""
        return self.state not in self.ENDED


@append_only
class ApiFill(TenantOwned):
    """A fill as the broker reported it over our API. The same report again is the same row."""

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="api_fills")
    order = models.ForeignKey(
        ApiOrder, on_delete=models.PROTECT, related_name="fills", null=True, blank=True, help_text="Empty: not ours"
    )
    broker_fill_id = models.CharField(max_length=64)
    client_order_id = models.CharField(max_length=64, blank=True)
    broker_order_id = models.CharField(max_length=64, blank=True)
    symbol = models.CharField(max_length=20)
    side = models.CharField(max_length=4)
    quantity = exact_shares_field()
    price = price_field()
    currency = models.CharField(max_length=3)
    commission = money_field(null=True, blank=True, help_text="Its own, where the broker told")
    as_of = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["account", "broker_fill_id"], name="api_fill_once")]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} {self.symbol} at {self.price:f}"


@append_only
class ApiHoldings(TenantOwned):
    """What the broker says it holds in an account at a moment: shares by symbol, and cash."""

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="api_holdings")
    shares = models.JSONField(help_text="Exact texts by symbol")
    cash = money_field()
    as_of = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-as_of"]
        verbose_name_plural = "api holdings"
        constraints = [models.UniqueConstraint(fields=["account", "as_of"], name="api_holdings_once")]

    def __str__(self) -> str:
        return f"{self.account_id} at {self.as_of:%Y-%m-%d %H:%M:%S}"
