"""Whether our books agree with the broker's, and each point where they do not."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models

from portfolios.models import BrokerAccount, TenantOwned


class AccountReconciliation(TenantOwned):
    """How an account stands with its broker. Nothing is sent for it unless it agrees."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting for its first check"
        AGREES = "agrees", "Agrees"
        DIFFERS = "differs", "Differs"

    account = models.OneToOneField(BrokerAccount, on_delete=models.PROTECT, related_name="reconciliation")
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    status_at = models.DateTimeField(help_text="Wall clock of the last change of status")
    checked_at = models.DateTimeField(null=True, blank=True, help_text="Wall clock of the last check that was answered")
    agreed_at = models.DateTimeField(null=True, blank=True, help_text="When it was last found to agree")
    unreachable_since = models.DateTimeField(null=True, blank=True)
    detail = models.CharField(max_length=240, blank=True)
    check_count = models.PositiveBigIntegerField(default=0)
    cursor = models.CharField(max_length=120, blank=True, help_text="The broker's reports are verified up to here")
    verified_fill_id = models.BigIntegerField(default=0, help_text="Our fills are verified up to here")

    class Meta:
        ordering = ["account_id"]

    def __str__(self) -> str:
        return f"{self.account_id} {self.status}"

    @property
    def blocks(self) -> bool:
        """Whether nothing may trade in the account."""
        return self.status != self.Status.AGREES


class BrokerDifference(TenantOwned):
    """A point where broker and books differ: seen, confirmed, then healed or accepted by a person."""

    class Kind(models.TextChoices):
        SHARES = "shares", "Shares"
        CASH = "cash", "Cash"
        ORDER_MISSING = "order_missing", "Order the broker does not have"
        ORDER_FOREIGN = "order_foreign", "Order we did not place"
        FILL_UNBOOKED = "fill_unbooked", "Fill that is not booked"
        FILL_MISSING = "fill_missing", "Fill the broker does not have"

    class Status(models.TextChoices):
        SUSPECTED = "suspected", "Seen once"
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted"
        HEALED = "healed", "Healed by itself"

    UNRESOLVED = (Status.SUSPECTED, Status.OPEN)

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="differences")
    kind = models.CharField(max_length=14, choices=Kind)
    subject = models.CharField(max_length=80, help_text="A symbol, a currency, an order's or a fill's id")
    ours = models.DecimalField(max_digits=30, decimal_places=6, null=True, blank=True)
    theirs = models.DecimalField(max_digits=30, decimal_places=6, null=True, blank=True)
    cause = models.CharField(max_length=240)
    status = models.CharField(max_length=9, choices=Status, default=Status.SUSPECTED)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    seen_count = models.PositiveIntegerField(default=1)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    reason = models.TextField(blank=True, help_text="Why it was accepted")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "subject"],
                condition=models.Q(status__in=["suspected", "open"]),
                name="broker_difference_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["account"], condition=models.Q(status__in=["suspected", "open"]), name="broker_difference_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}"

    @property
    def amount(self) -> Decimal | None:
        """Return by how much the broker has more than we, where both are numbers."""
        return None if self.ours is None or self.theirs is None else self.theirs - self.ours
