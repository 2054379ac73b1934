"""How ticks go, and whether brokers answer."""

from __future__ import annotations

from django.db import models

from portfolios.models import BrokerAccount, Portfolio, TenantOwned


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


class BrokerLine(TenantOwned):
    """Whether an account's broker answers; one that does not is left alone for growing pauses."""

    account = models.OneToOneField(BrokerAccount, on_delete=models.PROTECT, primary_key=True, related_name="line")
    failed_in_a_row = models.PositiveIntegerField(default=0, help_text="Calls without an answer; 0 while it answers")
    silent_since = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="It is left alone until then")
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ["account_id"]

    def __str__(self) -> str:
        return f"line to the broker of account {self.account_id}"
