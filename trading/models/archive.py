"""Evaluations that left their table for files, and how long they stay before."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models

from portfolios.models import Portfolio, TenantOwned


class EvaluationArchive(TenantOwned):
    """A file of a portfolio's old HOLD evaluations, in the order of their ids.

    It is written and its row committed first; `removed_at` is set in the transaction that found the file whole and took
    the rows from the table. Until then the table answers, from then on the file.
    """

    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="evaluation_archives")
    month = models.DateField(help_text="First day of the month in which its rows were recorded")
    file = models.FileField(upload_to="evaluations", max_length=200)
    row_count = models.PositiveIntegerField()
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    first_as_of = models.DateTimeField()
    last_as_of = models.DateTimeField()
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, blank=True, help_text="When its rows left the table")

    class Meta:
        ordering = ["-last_id"]
        constraints = [models.UniqueConstraint(fields=["portfolio", "first_id"], name="evaluation_archive_once")]

    def __str__(self) -> str:
        return f"{self.portfolio_id} {self.month:%Y-%m}, {self.row_count} rows from {self.first_id}"


class RetentionPolicy(models.Model):
    """How many days HOLD evaluations stay in their table; one row for the whole installation."""

    DEFAULT_DAYS = 90

    hold_days = models.PositiveIntegerField(default=DEFAULT_DAYS, validators=[MinValueValidator(1)])
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "retention policies"
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="retention_policy_single"),
            models.CheckConstraint(condition=models.Q(hold_days__gte=1), name="retention_policy_bounds"),
        ]

    def __str__(self) -> str:
        return f"HOLD evaluations stay {self.hold_days} days"
