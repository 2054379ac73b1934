"""Reports of brokers that are not booked: fills without an order of ours, and what makes no sense."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from portfolios.models import BrokerAccount, TenantOwned
from portfolios.models.fields import money_field, price_field, shares_field
from trading.models.order import Fill, Order
from volbal.common.append_only import append_only


@append_only
class HeldFill(TenantOwned):
    """A fill that belongs to no order of ours, as its broker reported it. It moves nothing until a person decides."""

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="held_fills")
    broker_fill_id = models.CharField(max_length=64)
    broker_order_id = models.CharField(max_length=64, blank=True)
    client_order_id = models.CharField(max_length=64, blank=True)
    symbol = models.CharField(max_length=20)
    side = models.CharField(max_length=4, choices=Order.Side)
    quantity = shares_field()
    price = price_field()
    commission = money_field(null=True, blank=True, help_text="Its own, where the broker told")
    as_of = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["account", "broker_fill_id"], name="held_fill_once")]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity:f} {self.symbol} at {self.price:f}"


@append_only
class HeldFillResolution(TenantOwned):
    """What a person decided about a held fill. It is decided once."""

    class Decision(models.TextChoices):
        ADOPT = "adopt", "Adopted"
        RE_ANCHOR = "re_anchor", "Adopted, anchor set to it"
        IGNORE = "ignore", "Ignored"

    held = models.OneToOneField(HeldFill, on_delete=models.PROTECT, related_name="resolution")
    decision = models.CharField(max_length=10, choices=Decision)
    fill = models.OneToOneField(Fill, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    reason = models.TextField(blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.get_decision_display()


class RefusedReport(TenantOwned):
    """A broker's report that makes no sense, kept as it came. Nothing of it is booked."""

    class Status(models.TextChoices):
        OPEN = "open", "Waits for a person"
        BOOKED = "booked", "Taken at a later try"
        DISMISSED = "dismissed", "Dismissed"

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="refused_reports")
    code = models.CharField(max_length=32, help_text="Why it was refused")
    sentence = models.CharField(max_length=400)
    payload = models.JSONField(help_text="As it came")
    fingerprint = models.CharField(max_length=64, editable=False)
    repetitions = models.PositiveIntegerField(default=1, help_text="How often it came")
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    reason = models.TextField(blank=True, help_text="Why a person dismissed it")
    first_at = models.DateTimeField(auto_now_add=True)
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["account", "fingerprint"], name="refused_report_once")]
        indexes = [models.Index(fields=["account"], condition=models.Q(status="open"), name="refused_report_open")]

    def __str__(self) -> str:
        return f"{self.code} {self.fingerprint[:8]}"
