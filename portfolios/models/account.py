"""Accounts at brokers."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models

from portfolios.models.fields import money_field
from portfolios.models.tenant import TenantOwned


class BrokerAccount(TenantOwned):
    """An account at a broker: cash not yet given to a cell, and cells. Their sum is what the broker should hold."""

    name = models.CharField(max_length=120)
    broker = models.CharField(max_length=24, help_text="Name in the registry of brokers")
    currency = models.CharField(max_length=3, default="USD")
    unallocated_cash = money_field(default=Decimal(0))
    commission_rate = models.DecimalField(
        max_digits=9, decimal_places=8, default=Decimal("0.0001"), validators=[MinValueValidator(0)]
    )
    commission_min = money_field(default=Decimal(0), validators=[MinValueValidator(0)])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="broker_account_name_once"),
            models.CheckConstraint(
                condition=models.Q(commission_rate__gte=0, commission_rate__lt=Decimal("0.1")),
                name="broker_account_commission_rate_bounds",
            ),
            models.CheckConstraint(
                condition=models.Q(commission_min__gte=0), name="broker_account_commission_min_bounds"
            ),
        ]

    def __str__(self) -> str:
        return self.name
