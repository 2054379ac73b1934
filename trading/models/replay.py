"""Replays: history with its own time, each run in a portfolio of its own."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from portfolios.models import Portfolio, TenantOwned
from trading.models.market import BarSeries


class ReplayRun(TenantOwned):
    """A pass over recorded bars. A step is one stamp of the bars: a session of daily bars, a minute of minute bars."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        FINISHED = "finished", "Finished"

    class Path(models.TextChoices):
        OHLC = "ohlc", "Open, high, low, close"
        OLHC = "olhc", "Open, low, high, close"

    MINIMUM_SPEED, MAXIMUM_SPEED = Decimal("0.1"), Decimal(50)

    portfolio = models.OneToOneField(Portfolio, on_delete=models.PROTECT, related_name="replay")
    series = models.ManyToManyField(BarSeries, related_name="+")
    started_from = models.ForeignKey("self", on_delete=models.PROTECT, related_name="restarts", null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.PAUSED)
    steps_per_second = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(MINIMUM_SPEED), MaxValueValidator(MAXIMUM_SPEED)],
    )
    position = models.PositiveIntegerField(default=0, help_text="Steps done")
    start_day = models.DateField(null=True, blank=True, help_text="Bars before it are left out")
    step_count = models.PositiveIntegerField()
    first_as_of = models.DateTimeField()
    last_as_of = models.DateTimeField()
    as_of = models.DateTimeField(null=True, blank=True, help_text="The prices' time of the last step")
    paced_from = models.DateTimeField(null=True, blank=True, help_text="Wall clock from which steps are counted")
    paced_position = models.PositiveIntegerField(default=0, help_text="Position at paced_from")
    path = models.CharField(
        max_length=4, choices=Path, default=Path.OHLC, help_text="How orders that rest meet a bar's prices"
    )
    walk = models.JSONField(
        default=dict, blank=True, help_text="How far the bar of the next step is walked: its point and the prices there"
    )
    cells = models.JSONField(help_text="How to open the cells: symbol, amount, stock_fraction, parameters")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"replay of {self.portfolio_id}"

    @property
    def source(self) -> str:
        """Return the name its quotes carry."""
        return f"replay:{self.pk}"
