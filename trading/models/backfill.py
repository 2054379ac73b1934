"""Fetching history as a job: what was asked, how far it is, and what became of each symbol."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Backfill(models.Model):
    """Bars, dividends and splits of some symbols fetched from a source. Shared by the whole installation.

    `results` and `errors` are by symbol, so that a job whose worker was lost goes on with those that are left. Written
    by `trading.services.backfills`, nowhere else.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        CANCELLING = "cancelling", "Cancelling"
        CANCELLED = "cancelled", "Cancelled"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"

    FINISHED = (State.CANCELLED, State.COMPLETED, State.FAILED)

    source = models.CharField(max_length=24, help_text="Name in the registry of sources of history")
    symbols = models.JSONField(help_text="What is fetched, in this order")
    start = models.DateField()
    end = models.DateField()
    resolution = models.CharField(max_length=8, blank=True, help_text="Of the bars; empty: dividends and splits alone")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    results = models.JSONField(default=dict, blank=True, help_text="What became of each symbol, in words")
    errors = models.JSONField(default=dict, blank=True, help_text="Why a symbol failed")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="A worker that is silent after this is lost")
    attempts = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=Q(end__gte=models.F("start")), name="backfill_range_bounds")]

    def __str__(self) -> str:
        return f"backfill {self.pk} from {self.source}"

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in self.FINISHED

    @property
    def done_count(self) -> int:
        """Return how many symbols are done, failed ones included."""
        return len(set(self.results) | set(self.errors))

    @property
    def progress_text(self) -> str:
        """Return how far it is, in words."""
        failed = f", {len(self.errors):,} failed" if self.errors else ""
        return f"{self.done_count:,} of {len(self.symbols):,} symbols{failed}"
