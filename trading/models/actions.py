"""Dividends and splits, and how each cell took them."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from portfolios.models import Cell, Instrument, TenantOwned
from portfolios.models.fields import money_field, price_field, shares_field


class CorporateAction(models.Model):
    """A dividend of `amount` a share, or a split of `ratio` new shares for one old (strategy 8)."""

    class Kind(models.TextChoices):
        DIVIDEND = "dividend", "Dividend"
        SPLIT = "split", "Split"

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="corporate_actions")
    kind = models.CharField(max_length=8, choices=Kind)
    ex_date = models.DateField()
    number = models.PositiveSmallIntegerField(default=1, help_text="Tells two dividends of one date apart")
    pay_date = models.DateField(null=True, blank=True)
    amount = price_field(null=True, blank=True)
    ratio = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    source = models.CharField(max_length=60)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # Splits come before dividends of their date.
        ordering = ["ex_date", "-kind", "id"]
        constraints = [
            models.UniqueConstraint(fields=["instrument", "kind", "ex_date", "number"], name="corporate_action_once"),
            models.CheckConstraint(
                condition=Q(kind="dividend", amount__gt=0, ratio__isnull=True)
                | Q(kind="split", ratio__gt=0, amount__isnull=True),
                name="corporate_action_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ex_date}"


class ActionApplication(TenantOwned):
    """A corporate action as one cell took it, exactly once."""

    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="actions")
    action = models.ForeignKey(CorporateAction, on_delete=models.PROTECT, related_name="+")
    shares = shares_field(help_text="Shares held when it was applied")
    gross = money_field(default=Decimal(0))
    tax = money_field(default=Decimal(0))
    net = money_field(default=Decimal(0))
    anchor_before = price_field(null=True, blank=True)
    anchor_after = price_field(null=True, blank=True)
    pay_date = models.DateField(null=True, blank=True)
    as_of = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True, help_text="The prices' time of the payment")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["cell", "action"], name="action_applied_once")]
        indexes = [models.Index(fields=["pay_date"], condition=Q(paid_at__isnull=True), name="action_unpaid")]

    def __str__(self) -> str:
        return f"{self.action_id} on {self.cell_id}"
