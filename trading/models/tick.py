"""Ticks and the evaluation of each cell in them."""

from __future__ import annotations

import datetime as dt

from django.db import models

from portfolios.models import Cell, ParameterVersion, Portfolio, TenantOwned
from portfolios.models.fields import money_field, price_field, shares_field


class Tick(TenantOwned):
    """One look at a portfolio at one moment of its prices; the same moment is looked at once."""

    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="ticks")
    as_of = models.DateTimeField(help_text="The prices' time: gates, days and entitlements use it")
    cell_count = models.PositiveIntegerField(default=0)
    order_count = models.PositiveIntegerField(default=0)
    value = money_field(help_text="Value of all open cells, before this tick's orders")
    duration_ms = models.PositiveIntegerField(default=0)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-as_of"]
        constraints = [models.UniqueConstraint(fields=["portfolio", "as_of"], name="tick_once")]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.as_of:%Y-%m-%d %H:%M:%S}"


class Evaluation(TenantOwned):
    """What the rule was asked and what it said, HOLD and SKIP too, with the numbers it was said from.

    A gate's SKIP that goes on is one row: it stands for `looks` ticks, from `as_of` until `until`. Any other, where
    `until` is null, stands for its own tick alone.
    """

    class Action(models.TextChoices):
        BUY = "BUY", "Buy"
        SELL = "SELL", "Sell"
        SKIP = "SKIP", "Skip"
        HOLD = "HOLD", "Hold"

    # The indexes below begin with tick and cell; one more of each would only cost time at every tick.
    tick = models.ForeignKey(Tick, on_delete=models.PROTECT, related_name="evaluations", db_index=False)
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="evaluations", db_index=False)
    parameters = models.ForeignKey(ParameterVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    as_of = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True, help_text="The last moment it stands for, where there are more")
    looks = models.PositiveIntegerField(default=1, db_default=1, help_text="How many ticks it stands for")
    price = price_field()
    source = models.CharField(max_length=40)
    is_synthetic = models.BooleanField()
    age_seconds = models.FloatField(help_text="Age of the price at the tick")

    anchor = price_field(null=True, blank=True)
    cash = money_field()
    shares = shares_field()
    receivable = money_field()
    value = money_field()
    stock_share = models.FloatField(null=True, blank=True, help_text="Fraction of value held in stock")
    orders_today = models.PositiveIntegerField()
    trigger_up = models.FloatField(help_text="In force at this moment; adaptive triggers move it")
    trigger_down = models.FloatField()

    action = models.CharField(max_length=4, choices=Action)
    reason = models.CharField(max_length=24)
    signal = models.SmallIntegerField(help_text="+1 buy, -1 sell, 0 none")
    raw_quantity = models.FloatField()
    quantity = models.FloatField()
    sentence = models.CharField(max_length=400)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["tick", "cell"], name="evaluation_once")]
        indexes = [
            models.Index(fields=["cell", "-as_of"], name="evaluation_by_cell"),
            models.Index(fields=["cell", "action", "-as_of"], name="evaluation_by_action"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.reason}"

    @property
    def last_as_of(self) -> dt.datetime:
        """Return the last moment it stands for."""
        return self.as_of if self.until is None else self.until
