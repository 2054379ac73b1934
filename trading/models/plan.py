"""Orders that are worked in slices."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from portfolios.models import Cell, TenantOwned
from portfolios.models.fields import price_field, shares_field
from trading.models.tick import Evaluation


class OrderPlan(TenantOwned):
    """An order worked in slices (strategy 14): each slice is an order of its own, this is what they add up to.

    Written by `trading.services.order_plans` only.
    """

    class Status(models.TextChoices):
        WORKING = "working", "Working"
        ENDED = "ended", "Ended"

    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="order_plans")
    evaluation = models.OneToOneField(Evaluation, on_delete=models.PROTECT, related_name="plan", null=True, blank=True)
    side = models.CharField(max_length=4, choices=[("BUY", "Buy"), ("SELL", "Sell")])
    quantity = shares_field()
    reason = models.CharField(max_length=24, help_text="The rule's reason for it")
    decision_price = price_field(help_text="The price it was decided at")
    slice_count = models.PositiveIntegerField(help_text="Slices it is worked in")
    slice_quantity = shares_field(help_text="Shares of each but the last, which takes the rest")
    interval_seconds = models.PositiveIntegerField(help_text="From one slice to the next")
    submitted = models.PositiveIntegerField(default=0, help_text="Slices submitted so far")
    filled_quantity = shares_field(default=Decimal(0))
    filled_value = models.DecimalField(
        max_digits=32,
        decimal_places=12,
        default=Decimal(0),
        help_text="Sum of quantity × price of the fills, unrounded",
    )
    day = models.DateField(help_text="The exchange's day, whose close ends it")
    next_at = models.DateTimeField(help_text="The prices' time at which the next slice is due")
    status = models.CharField(max_length=7, choices=Status, default=Status.WORKING)
    ended_because = models.CharField(max_length=400, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="The prices' time of its end")
    as_of = models.DateTimeField(help_text="The prices' time of the decision")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="order_plan_quantity_bounds"),
            models.UniqueConstraint(
                fields=["cell"], condition=models.Q(status="working"), name="order_plan_one_working"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(status="working"), name="order_plan_due"),
            models.Index(fields=["cell", "-id"], name="order_plan_by_cell"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity} in {self.slice_count} slices"

    @property
    def is_working(self) -> bool:
        """Whether another slice may come."""
        return self.status == self.Status.WORKING

    @property
    def is_last(self) -> bool:
        """Whether all its slices are submitted."""
        return self.submitted >= self.slice_count
