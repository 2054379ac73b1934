"""A backtest as a job and as a record: what was asked, what came out, and from what it can be made again."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from portfolios.models import Instrument, TenantOwned
from trading.models import BarSeries


class Backtest(TenantOwned):
    """One cell backtested on one version of an instrument's bars (strategy 10).

    `parameters` and `options` are those of `StrategyParameters` and `RunOptions`, by name, all of them. `measures` are
    those of strategy 11, null where undefined. Written by `optimization.services.backtests`, nowhere else.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        CANCELLING = "cancelling", "Cancelling"
        CANCELLED = "cancelled", "Cancelled"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"

    name = models.CharField(max_length=120)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    series = models.ForeignKey(BarSeries, on_delete=models.PROTECT, related_name="+")
    parameters = models.JSONField()
    options = models.JSONField()

    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    progress = models.FloatField(default=0.0, help_text="Share of the work that is done, 0 to 1")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="A worker that is silent after this is lost")
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    bars = models.PositiveIntegerField(null=True, blank=True)
    first = models.CharField(max_length=20, blank=True, help_text="Stamp of the first bar")
    last = models.CharField(max_length=20, blank=True, help_text="Stamp of the last bar")
    measures = models.JSONField(default=dict)
    band = models.JSONField(
        default=dict, help_text="Measures along both paths of each bar where orders rest: the intrabar band"
    )
    skips = models.JSONField(default=dict, help_text="Orders not made, by reason")
    final = models.JSONField(default=dict, help_text="The cell at the end")
    days_file = models.FileField(upload_to="backtests", blank=True)
    trades_file = models.FileField(upload_to="backtests", blank=True)
    manifest = models.JSONField(default=dict, help_text="What it was made from: hashes of data and code")

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(progress__gte=0, progress__lte=1), name="backtest_progress_bounds"),
            models.CheckConstraint(
                condition=~Q(state="completed") | Q(finished_at__isnull=False, bars__isnull=False),
                name="backtest_completed_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="backtest_by_tenant"),
            models.Index(
                fields=["id"], condition=Q(state__in=("queued", "running", "cancelling")), name="backtest_unfinished"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return not MOVES[self.State(self.state)]


# What may follow what. A worker that was lost leaves its backtest running; another takes it up again from the start.
MOVES: dict[Backtest.State, frozenset[Backtest.State]] = {
    Backtest.State.QUEUED: frozenset({Backtest.State.RUNNING, Backtest.State.CANCELLED}),
    Backtest.State.RUNNING: frozenset(
        {Backtest.State.RUNNING, Backtest.State.CANCELLING, Backtest.State.COMPLETED, Backtest.State.FAILED}
    ),
    Backtest.State.CANCELLING: frozenset({Backtest.State.CANCELLED}),
    Backtest.State.CANCELLED: frozenset(),
    Backtest.State.COMPLETED: frozenset(),
    Backtest.State.FAILED: frozenset(),
}
