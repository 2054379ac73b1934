"""Portfolios: cells that tick together."""

from __future__ import annotations

from django.db import models

from portfolios.models.account import BrokerAccount
from portfolios.models.tenant import TenantOwned


class Portfolio(TenantOwned):
    """Cells of one account that share mode, trading hours and the interval between ticks."""

    class Mode(models.TextChoices):
        REPLAY = "replay", "Replay"
        PAPER = "paper", "Paper"
        LIVE = "live", "Live"

    class TradingHours(models.TextChoices):
        REGULAR = "regular", "Regular session"
        EXTENDED = "extended", "With after hours"

    REPLAY_FEED = "replay"

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="portfolios")
    name = models.CharField(max_length=120)
    mode = models.CharField(max_length=8, choices=Mode)
    feed = models.CharField(max_length=24, blank=True, help_text="Name in the registry of feeds; empty: nothing ticks")
    trading_hours = models.CharField(max_length=8, choices=TradingHours, default=TradingHours.REGULAR)
    tick_interval_seconds = models.PositiveIntegerField(default=60)
    tick_on_quotes = models.BooleanField(
        default=False, help_text="A new quote of what it holds wakes it, beside the interval"
    )
    next_tick_at = models.DateTimeField(null=True, blank=True, db_index=True)
    is_archived = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="portfolio_name_once"),
            models.CheckConstraint(condition=models.Q(tick_interval_seconds__gte=1), name="portfolio_interval_bounds"),
        ]

    def __str__(self) -> str:
        return self.name
