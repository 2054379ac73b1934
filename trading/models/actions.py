"""Dividends and splits, and how each cell took them."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q

from portfolios.models import Cell, Instrument, TenantOwned
from portfolios.models.fields import money_field, price_field, shares_field
from volbal.common.append_only import append_only


class InForceManager(models.Manager["CorporateAction"]):
    """Corporate actions that were not withdrawn."""

    def get_queryset(self) -> models.QuerySet[CorporateAction]:
        """Return the actions in force."""
        return super().get_queryset().filter(is_withdrawn=False)


class CorporateAction(models.Model):
    """A dividend of `amount` a share, or a split of `ratio` new shares for one old (strategy 8), as it is known now.

    What it was before stands in its revisions; written by `trading.services.action_changes`, nowhere else.
    """

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
    revision = models.PositiveIntegerField(default=1, help_text="Grows with every correction")
    is_withdrawn = models.BooleanField(default=False)
    instrument_version = models.PositiveIntegerField(
        default=0, help_text="Its instrument's actions_version at its last change"
    )
    earliest_ex_date = models.DateField(null=True, blank=True, help_text="The earliest ex-date it had, where it moved")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = InForceManager()
    with_withdrawn: models.Manager[CorporateAction] = models.Manager()

    class Meta:
        # Splits come before dividends of their date.
        ordering = ["ex_date", "-kind", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["instrument", "kind", "ex_date", "number"],
                condition=Q(is_withdrawn=False),
                name="corporate_action_once",
            ),
            models.CheckConstraint(
                condition=Q(kind="dividend", amount__gt=0, ratio__isnull=True)
                | Q(kind="split", ratio__gt=0, amount__isnull=True),
                name="corporate_action_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ex_date}"

    @property
    def terms(self) -> str:
        """Return what it gives, in words."""
        if self.ratio is not None:
            return f"{self.ratio.normalize():f} for 1"
        return f"{(self.amount or Decimal(0)).normalize():f} a share"


@append_only
class ActionRevision(models.Model):
    """A corporate action as it was known from one moment on; number 1 is how it was first announced."""

    action = models.ForeignKey(CorporateAction, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    ex_date = models.DateField()
    pay_date = models.DateField(null=True, blank=True)
    amount = price_field(null=True, blank=True)
    ratio = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    is_withdrawn = models.BooleanField(default=False)
    source = models.CharField(max_length=60)
    reason = models.TextField(blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    task = models.CharField(max_length=80, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["action_id", "-number"]
        constraints = [models.UniqueConstraint(fields=["action", "number"], name="action_revision_once")]

    def __str__(self) -> str:
        return f"{self.action_id} revision {self.number}"


class ActionApplication(TenantOwned):
    """A corporate action as one cell took it: one row for both, whatever is corrected in it later.

    A correction books the opposite of each entry and then what is right; `booking` counts them, and stands in the
    entries' keys. Written by `trading.services.corporate_actions`, nowhere else.
    """

    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="actions")
    action = models.ForeignKey(CorporateAction, on_delete=models.PROTECT, related_name="applications")
    revision = models.PositiveIntegerField(default=1, help_text="The action's revision that is booked")
    booking = models.PositiveIntegerField(default=1, help_text="1 as first taken; grows with every correction")
    shares = shares_field(help_text="Shares entitled: held at the end of the exchange day before its date")
    gross = money_field(default=Decimal(0))
    tax = money_field(default=Decimal(0))
    net = money_field(default=Decimal(0))
    withholding_rate = models.DecimalField(max_digits=16, decimal_places=10, null=True, blank=True)
    anchor_before = price_field(null=True, blank=True)
    anchor_after = price_field(null=True, blank=True)
    anchor_base = price_field(null=True, blank=True, help_text="The anchor that it moved, as it was set")
    anchor_set_at = models.DateTimeField(null=True, blank=True, help_text="When the anchor that it moved had been set")
    pay_date = models.DateField(null=True, blank=True)
    learned_late = models.BooleanField(default=False, help_text="Its date had been looked at before it was known")
    as_of = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True, help_text="The prices' time of the payment")
    corrected_at = models.DateTimeField(null=True, blank=True, help_text="Wall clock of the last correction")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["cell", "action"], name="action_applied_once")]
        indexes = [models.Index(fields=["pay_date"], condition=Q(paid_at__isnull=True), name="action_unpaid")]

    def __str__(self) -> str:
        return f"{self.action_id} on {self.cell_id}"

    @property
    def key(self) -> str:
        """Return what the keys of its present booking's entries begin with."""
        first = f"action:{self.action_id}:cell:{self.cell_id}"
        return first if self.booking == 1 else f"{first}:{self.booking}"
