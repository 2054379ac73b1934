"""Cash that moved at a broker without a fill, and what became of it in our books."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from portfolios.models import BrokerAccount, TenantOwned
from portfolios.models.fields import money_field


class BrokerCash(TenantOwned):
    """A fee, interest, dividend or transfer as the broker told it. What was told never changes; its standing does."""

    class Kind(models.TextChoices):
        FEE = "fee", "Fee"
        INTEREST = "interest", "Interest"
        DIVIDEND = "dividend", "Dividend"
        CASH_IN_LIEU = "cash_in_lieu", "Cash in lieu"
        TRANSFER = "transfer", "Deposit, withdrawal or journal"
        OTHER = "other", "Other"

    class Status(models.TextChoices):
        OPEN = "open", "Waits for a person"
        BOOKED = "booked", "Booked"
        KNOWN = "known", "In the books before"

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="broker_cash")
    broker_cash_id = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=Kind)
    code = models.CharField(max_length=20, help_text="The broker's own word for it")
    amount = money_field(help_text="+ into the account")
    day = models.DateField(help_text="The day it is about")
    symbol = models.CharField(max_length=20, blank=True)
    description = models.CharField(max_length=240, blank=True, help_text="The broker's own words")
    basis = models.CharField(max_length=12, blank=True, help_text="What a fee on the day's fills is charged on")
    as_of = models.DateTimeField(help_text="When the broker moved it")
    recorded_at = models.DateTimeField(auto_now_add=True)
    status = models.CharField(max_length=6, choices=Status, default=Status.OPEN)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    reason = models.TextField(blank=True, help_text="Why a person settled it so")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "broker cash"
        constraints = [models.UniqueConstraint(fields=["account", "broker_cash_id"], name="broker_cash_once")]
        indexes = [models.Index(fields=["account"], condition=models.Q(status="open"), name="broker_cash_open")]

    def __str__(self) -> str:
        return f"{self.code} of {self.amount:+,.2f} on {self.day:%Y-%m-%d}"
