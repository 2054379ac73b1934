"""The position cell: one instrument's shares with their own cash, anchor and parameters."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from portfolios.models.fields import money_field, price_field, shares_field
from portfolios.models.instrument import Instrument
from portfolios.models.portfolio import Portfolio
from portfolios.models.tenant import TenantOwned


class Cell(TenantOwned):
    """Running totals of a cell's ledger, and what the rule needs beside them (strategy 1).

    Written by `portfolios.services.ledger` and the verbs of `portfolios.services.cells`, nowhere else. Cash and shares
    carry no constraint: a broker's fact is booked even when it makes them negative, and the cell halts. `status` is
    where it is in its life; what halts it or lets it only sell are rows of `TradingRestriction`.
    """

    class Status(models.TextChoices):
        STOPPED = "stopped", "Not started"
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        ARCHIVED = "archived", "Archived"

    class Execution(models.TextChoices):
        WATCH = "watch", "Watch the price"
        RESTING = "resting", "Orders rest at the triggers"

    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="cells")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=60, blank=True, help_text="Tells two cells of one instrument apart")
    status = models.CharField(max_length=8, choices=Status, default=Status.STOPPED)
    status_reason = models.TextField(blank=True)
    parameters = models.ForeignKey(
        "portfolios.ParameterVersion", on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )

    cash = money_field(default=Decimal(0))
    shares = shares_field(default=Decimal(0))
    receivable = money_field(default=Decimal(0), help_text="Net dividends declared and not yet paid")
    average_cost = models.DecimalField(max_digits=24, decimal_places=10, default=Decimal(0))

    anchor = price_field(null=True, blank=True)
    anchor_set_at = models.DateTimeField(null=True, blank=True)
    bought_since_anchor = shares_field(default=Decimal(0))
    sold_since_anchor = shares_field(default=Decimal(0))
    orders_today = models.PositiveIntegerField(default=0)
    orders_day = models.DateField(null=True, blank=True, help_text="The exchange's day that orders_today counts")

    actions_through = models.DateField(
        null=True, blank=True, help_text="The exchange's day through which dividends and splits were taken"
    )
    actions_version = models.PositiveIntegerField(default=0, help_text="Its instrument's when they were last looked at")
    actions_recheck_from = models.DateField(
        null=True, blank=True, help_text="Shares dated this day or later were booked late: entitlements are due again"
    )

    opened_at = models.DateTimeField(null=True, blank=True, help_text="The prices' time of the opening entry")
    opening_value = money_field(default=Decimal(0))
    opening_price = price_field(null=True, blank=True)
    reinvest_dividends = models.BooleanField(default=False)
    execution = models.CharField(max_length=8, choices=Execution, default=Execution.WATCH)
    close_asked_on = models.DateField(
        null=True, blank=True, help_text="The exchange's day whose close the rule was asked about while orders rest"
    )
    max_spread_bps = models.DecimalField(
        max_digits=8, decimal_places=2, null=True, blank=True, help_text="It does not trade at a wider spread"
    )

    version = models.PositiveIntegerField(default=0, help_text="Grows with every change; a stale writer is refused")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["instrument__symbol", "id"]
        constraints = [
            models.UniqueConstraint(fields=["portfolio", "instrument", "name"], name="cell_once"),
            models.CheckConstraint(
                condition=models.Q(anchor__isnull=True) | models.Q(anchor__gt=0), name="cell_anchor_bounds"
            ),
        ]
        indexes = [models.Index(fields=["portfolio", "status"], name="cell_by_status")]

    def __str__(self) -> str:
        return f"{self.instrument.symbol} {self.name}".rstrip()

    @property
    def rests_orders(self) -> bool:
        """Whether orders of it are to rest at its triggers, as far as it is up to itself."""
        return self.status == self.Status.ACTIVE and self.execution == self.Execution.RESTING
