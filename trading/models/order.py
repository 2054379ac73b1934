"""Orders as a state table, their history, and fills."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.conf import settings
from django.db import models

from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount, Cell, TenantOwned
from portfolios.models.fields import exact_shares_field, money_field, price_field, shares_field
from trading.models.plan import OrderPlan
from trading.models.tick import Evaluation
from volbal.common import clock
from volbal.common.append_only import append_only


def new_client_order_id() -> str:
    """Return an id that the order keeps towards its broker for good."""
    return f"vb-{uuid.uuid4().hex}"


class Order(TenantOwned):
    """What we want done at a broker. The row is committed as an intent before any broker hears of it.

    Moves of `status` go through `trading.services.order_states.order_move` only.
    """

    class Status(models.TextChoices):
        INTENT = "intent", "Intent"
        SUBMITTING = "submitting", "Submitting"
        UNKNOWN = "unknown", "Unknown"
        SUBMITTED = "submitted", "Submitted"
        ACCEPTED = "accepted", "Accepted"
        PARTIALLY_FILLED = "partially_filled", "Partially filled"
        FILLED = "filled", "Filled"
        CANCELLING = "cancelling", "Cancelling"
        CANCELLED = "cancelled", "Cancelled"
        REJECTED = "rejected", "Rejected"
        EXPIRED = "expired", "Expired"

    class Side(models.TextChoices):
        BUY = "BUY", "Buy"
        SELL = "SELL", "Sell"

    class Type(models.TextChoices):
        MARKET = "market", "Market"
        LIMIT = "limit", "Limit"
        STOP = "stop", "Stop"
        STOP_LIMIT = "stop_limit", "Stop-limit"

    class TimeInForce(models.TextChoices):
        DAY = "day", "Day"
        GTC = "gtc", "Until cancelled"
        IOC = "ioc", "At once or not at all"

    class Purpose(models.TextChoices):
        RULE = "rule", "Rule"
        RESTING = "resting", "Resting at its trigger"
        SLICE = "slice", "Slice of a larger order"
        STOP = "stop", "Protective stop"
        MANUAL = "manual", "By hand"
        ADOPTED = "adopted", "Adopted from the broker"

    # What can be cancelled: all that is open, but for what waits for its broker's answer or is being cancelled.
    CANCELLABLE = (Status.INTENT, Status.UNKNOWN, Status.SUBMITTED, Status.ACCEPTED, Status.PARTIALLY_FILLED)
    ENDED = (Status.FILLED, Status.CANCELLED, Status.REJECTED, Status.EXPIRED)
    # Before a broker is known to have it, and while it works there.
    UNSENT = (Status.INTENT, Status.SUBMITTING, Status.UNKNOWN)
    WORKING = (Status.SUBMITTED, Status.ACCEPTED, Status.PARTIALLY_FILLED, Status.CANCELLING)

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="orders")
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="orders")
    evaluation = models.OneToOneField(Evaluation, on_delete=models.PROTECT, related_name="order", null=True, blank=True)
    plan = models.ForeignKey(OrderPlan, on_delete=models.PROTECT, related_name="slices", null=True, blank=True)
    slice_number = models.PositiveIntegerField(null=True, blank=True, help_text="Which slice of its plan, from 1")
    client_order_id = models.CharField(max_length=40, unique=True, default=new_client_order_id)
    broker_order_id = models.CharField(max_length=64, blank=True)
    side = models.CharField(max_length=4, choices=Side)
    type = models.CharField(max_length=10, choices=Type)
    time_in_force = models.CharField(max_length=3, choices=TimeInForce, default=TimeInForce.DAY)
    purpose = models.CharField(max_length=8, choices=Purpose, default=Purpose.RULE)
    quantity = shares_field()
    limit_price = price_field(null=True, blank=True)
    stop_price = price_field(null=True, blank=True)
    decision_price = price_field(null=True, blank=True, help_text="The price it was decided at")
    reason = models.CharField(max_length=24, help_text="The rule's reason for it")
    note = models.TextField(blank=True, help_text="Why a person placed it")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    quote_source = models.CharField(max_length=40)
    commission_rate = models.DecimalField(max_digits=9, decimal_places=8)
    commission_per_share = price_field(default=Decimal(0))
    commission_min = money_field(default=Decimal(0))
    commission_cap = money_field(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="The close at which a day order ends")

    status = models.CharField(max_length=16, choices=Status, default=Status.INTENT)
    status_at = models.DateTimeField(help_text="Wall clock of the last move")
    status_detail = models.CharField(max_length=240, blank=True)
    reject_code = models.CharField(max_length=40, blank=True, help_text="What kind of no the broker gave")
    broker_status = models.CharField(max_length=16, blank=True, help_text="Where the broker last said it is")
    broker_filled_quantity = shares_field(null=True, blank=True, help_text="Shares it last said are filled")
    not_found_at = models.DateTimeField(null=True, blank=True, help_text="Since when the broker says it knows it not")
    cancel_asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the broker last answered to being asked to cancel it"
    )
    is_counted = models.BooleanField(
        default=True, help_text="It counts among its day's orders; where orders rest only once it fills"
    )
    is_overfilled = models.BooleanField(default=False, help_text="More was filled than ordered")
    noted_at = models.DateTimeField(null=True, blank=True, help_text="When a person took note of what went wrong")
    filled_quantity = shares_field(default=Decimal(0))
    told_quantity = exact_shares_field(
        default=Decimal(0), help_text="Sum of its fills as its broker told them; booked is this to 1e-6"
    )
    filled_value = models.DecimalField(
        max_digits=32,
        decimal_places=12,
        default=Decimal(0),
        help_text="Sum of quantity × price of the fills, unrounded",
    )
    notional = money_field(default=Decimal(0), help_text="Booked, to the cent")
    commission = money_field(default=Decimal(0), help_text="Booked, to the cent")
    commission_is_told = models.BooleanField(default=False, help_text="The broker's own, not the schedule's")
    as_of = models.DateTimeField(help_text="The prices' time of the decision")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="order_quantity_bounds"),
            models.UniqueConstraint(fields=["plan", "slice_number"], name="order_slice_once"),
            models.UniqueConstraint(
                fields=["cell", "side"],
                condition=models.Q(purpose="resting")
                & ~models.Q(status__in=["filled", "cancelled", "rejected", "expired"]),
                name="order_resting_one_a_side",
            ),
        ]
        indexes = [
            models.Index(fields=["cell", "-id"], name="order_by_cell"),
            models.Index(
                fields=["status", "id"],
                condition=~models.Q(status__in=["filled", "cancelled", "rejected", "expired"]),
                name="order_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} {self.status}"

    @property
    def has_ended(self) -> bool:
        """Whether the broker will do nothing more for it, as far as we know."""
        return self.status in self.ENDED

    @property
    def commission_terms(self) -> CommissionTerms:
        """Return the schedule that was in force when it was made."""
        return CommissionTerms(
            self.commission_rate, self.commission_per_share, self.commission_min, self.commission_cap
        )

    @property
    def is_cancellable(self) -> bool:
        """Whether a person may cancel it as it stands."""
        return self.status in self.CANCELLABLE

    @property
    def excess_quantity(self) -> Decimal:
        """Return how many shares more were filled than ordered; 0 where none."""
        return max(Decimal(self.filled_quantity) - Decimal(self.quantity), Decimal(0))

    @property
    def is_to_be_settled(self) -> bool:
        """Whether more was filled than ordered and nobody said what becomes of it."""
        return self.is_overfilled and self.noted_at is None

    @property
    def is_failed(self) -> bool:
        """Whether it was rejected or overfilled and nobody took note."""
        return self.noted_at is None and (self.is_overfilled or self.status == self.Status.REJECTED)

    @property
    def status_age_seconds(self) -> float:
        """Return for how long it has been in its state, by the wall clock."""
        return max((clock.now() - self.status_at).total_seconds(), 0.0)

    @property
    def mean_price(self) -> Decimal | None:
        """Return the quantity-weighted mean fill price, unrounded; None before the first fill."""
        return self.filled_value / self.filled_quantity if self.filled_quantity else None


class StuckOrder(Order):
    """An order that does not go on by itself (see `trading.selectors.orders.stuck`), for the console's worklist."""

    class Meta:
        proxy = True
        verbose_name = "stuck or unknown order"


@append_only
class OrderTransition(TenantOwned):
    """A move of an order from one state to the next, and why."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="transitions")
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)
    detail = models.CharField(max_length=240, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"


@append_only
class Fill(TenantOwned):
    """A broker's report that shares changed hands. The same report again changes nothing."""

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="fills")
    broker_fill_id = models.CharField(max_length=64)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    quantity = shares_field(help_text="Booked: what its order's sum, to 1e-6, grew by")
    told_quantity = exact_shares_field(null=True, blank=True, help_text="As its broker told it, where that is finer")
    price = price_field()
    notional = money_field(help_text="Booked for this fill, to the cent")
    commission = money_field(help_text="Booked for this fill, to the cent")
    as_of = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["account", "broker_fill_id"], name="fill_once")]

    def __str__(self) -> str:
        return f"{self.quantity} at {self.price}"


class FillCursor(models.Model):
    """How far an account's fill reports have been read. Losing it only means reading some again."""

    account = models.OneToOneField(
        BrokerAccount, on_delete=models.PROTECT, primary_key=True, related_name="fill_cursor"
    )
    position = models.CharField(max_length=120, blank=True, help_text="Opaque, the broker's own")

    def __str__(self) -> str:
        return f"{self.account_id} at {self.position}"
