"""How a portfolio's ticks go."""

from __future__ import annotations

from django.db import models

from portfolios.models import Portfolio, TenantOwned


class TickState(TenantOwned):
    """The last tick of a portfolio that lives in the present, what went wrong since, and whether one is missed.

    `missed_since` is when the first tick was due that did not happen; it is empty while they do.
    """

    portfolio = models.OneToOneField(Portfolio, on_delete=models.PROTECT, primary_key=True, related_name="tick_state")
    last_tick_at = models.DateTimeField(null=True, blank=True, help_text="Wall clock")
    last_duration_ms = models.PositiveIntegerField(default=0, help_text="Quotes fetched to rows committed")
    failed_in_a_row = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True, help_text="Of the last tick that failed; empty again after a good one")
    last_error_at = models.DateTimeField(null=True, blank=True)
    missed_since = models.DateTimeField(null=True, blank=True)
    missed_count = models.PositiveIntegerField(default=0, help_text="How many times ticks were missed")
    wake_asked_at = models.DateTimeField(null=True, blank=True, help_text="A quote asked for a tick that has not begun")
    woken_at = models.DateTimeField(null=True, blank=True, help_text="The last tick that a quote asked for")

    class Meta:
        ordering = ["portfolio_id"]

    def __str__(self) -> str:
        return f"ticks of portfolio {self.portfolio_id}"
