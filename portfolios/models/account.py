"""Accounts at brokers."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from portfolios.models.fields import money_field
from portfolios.models.tenant import TenantOwned


class BrokerAccount(TenantOwned):
    """An account at a broker: cash not yet given to a cell, and cells. Their sum is what the broker should hold."""

    name = models.CharField(max_length=120)
    broker = models.CharField(max_length=24, help_text="Name in the registry of brokers")
    is_live = models.BooleanField(default=False, help_text="Orders move real money")
    settings = models.JSONField(
        default=dict, blank=True, help_text="The broker's own, for example a paper broker's delay"
    )
    credentials = models.TextField(
        default="", blank=True, editable=False, help_text="Encrypted; read and written by portfolios.credentials only"
    )
    credentials_hint = models.CharField(
        "keys", max_length=120, default="", blank=True, help_text="Which keys are set, by their last characters"
    )
    credentials_set_at = models.DateTimeField("keys set", null=True, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    unallocated_cash = money_field(default=Decimal(0))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="broker_account_name_once"),
        ]

    def __str__(self) -> str:
        return self.name
