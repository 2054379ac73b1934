"""The paper broker's own book. Nothing but `trading.brokers.paper` reads or writes it."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount, Instrument, TenantOwned
from portfolios.models.fields import money_field, price_field, shares_field
from volbal.common import clock
from volbal.common.append_only import append_only


class PaperBook(TenantOwned):
    """One account's book: its lock, and the numbers it has given out, from which every accident of it follows."""

    account = models.OneToOneField(BrokerAccount, on_delete=models.PROTECT, primary_key=True, related_name="paper_book")
    calls = models.PositiveBigIntegerField(default=0, help_text="Questions asked over a line that may fail")
    orders = models.PositiveBigIntegerField(default=0)
    reports = models.PositiveBigIntegerField(default=0)
    silent_until = models.DateTimeField(null=True, blank=True, help_text="Until when the line is down")

    def __str__(self) -> str:
        return f"{self.account_id}: {self.orders} orders, {self.reports} reports"


class PaperOrder(TenantOwned):
    """An order as the simulated broker keeps it."""

    class Status(models.TextChoices):
        WORKING = "working", "Working"
        PARTIALLY_FILLED = "partially_filled", "Partially filled"
        FILLED = "filled", "Filled"
        CANCELLED = "cancelled", "Cancelled"
        REJECTED = "rejected", "Rejected"
        EXPIRED = "expired", "Expired"

    OPEN = (Status.WORKING, Status.PARTIALLY_FILLED)

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveBigIntegerField(default=0, help_text="Its place among the account's orders")
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
    status = models.CharField(max_length=16, choices=Status, default=Status.WORKING)
    detail = models.CharField(max_length=240, blank=True, help_text="Why it ended")
    code = models.CharField(max_length=40, blank=True, help_text="What kind of refusal it was")
    is_triggered = models.BooleanField(default=False, help_text="Its stop was reached")
    filled_quantity = shares_field(default=Decimal(0))
    fill_count = models.PositiveIntegerField(default=0)
    filled_value = models.DecimalField(
        max_digits=32, decimal_places=12, default=Decimal(0), help_text="Sum of quantity × price of the fills"
    )
    notional = money_field(default=Decimal(0))
    commission = money_field(default=Decimal(0))
    works_from = models.DateTimeField(default=clock.now, help_text="When it may fill, or its next part may")
    expires_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "client_order_id"], name="paper_order_once"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0, filled_quantity__gte=0, filled_quantity__lte=F("quantity")),
                name="paper_order_filled_bounds",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account"], condition=Q(status__in=["working", "partially_filled"]), name="paper_order_open"
            )
        ]

    def __str__(self) -> str:
        return self.client_order_id

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status in self.OPEN

    @property
    def remaining(self) -> Decimal:
        """Return the shares that are not filled."""
        left: Decimal = self.quantity - self.filled_quantity
        return left

    @property
    def commission_terms(self) -> CommissionTerms:
        """Return the schedule it was sent with."""
        return CommissionTerms(
            self.commission_rate, self.commission_per_share, self.commission_min, self.commission_cap
        )


@append_only
class PaperFill(TenantOwned):
    """A fill as the simulated broker carried it out."""

    order = models.ForeignKey(PaperOrder, on_delete=models.PROTECT, related_name="fills")
    number = models.PositiveIntegerField(default=1, help_text="Its place among the order's fills")
    quantity = shares_field()
    price = price_field()
    notional = money_field()
    commission = money_field()
    as_of = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "number"], name="paper_fill_once")]

    def __str__(self) -> str:
        return f"{self.quantity} at {self.price}"


class PaperReport(TenantOwned):
    """A fill as it is told: late, twice or out of turn where the account's settings say so.

    `number` is the cursor that readers go on from. It is given when the report is due, in order and without a gap.
    """

    book = models.ForeignKey(PaperBook, on_delete=models.PROTECT, related_name="told")
    fill = models.ForeignKey(PaperFill, on_delete=models.PROTECT, related_name="reports")
    copy = models.PositiveSmallIntegerField(default=0, help_text="Above 0: the same told again")
    due_at = models.DateTimeField()
    number = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fill", "copy"], name="paper_report_once"),
            models.UniqueConstraint(fields=["book", "number"], name="paper_report_number_once"),
        ]
        indexes = [
            models.Index(fields=["book", "due_at"], condition=Q(number__isnull=True), name="paper_report_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.fill_id} as number {self.number}"
