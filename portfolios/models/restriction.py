"""What keeps cells from trading freely, at any level from one cell to everywhere."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from portfolios.models.account import BrokerAccount
from portfolios.models.cell import Cell
from portfolios.models.portfolio import Portfolio
from portfolios.models.tenant import Tenant
from volbal.common.tenancy import InstallationManager

PERSON = "person"


class TradingRestriction(models.Model):
    """A halt, or an order to reduce, in force until a person lifts it; kept afterwards as history.

    A cell trades by the strictest of those in force on it and on everything above it. Rows are placed and lifted by
    `portfolios.services.restrictions`, nowhere else; a start of the software touches none. Those everywhere or on a
    broker belong to no tenant. Each row names all that stands above what it restricts.
    """

    class Level(models.TextChoices):
        EVERYWHERE = "everywhere", "Everywhere"
        BROKER = "broker", "Broker"
        TENANT = "tenant", "Firm"
        ACCOUNT = "account", "Account"
        PORTFOLIO = "portfolio", "Portfolio"
        CELL = "cell", "Cell"

    class State(models.TextChoices):
        REDUCING = "reducing", "Reducing: sells only, never further from the guardrails"
        HALTED = "halted", "Halted: nothing trades"

    SHARED_LEVELS = (Level.EVERYWHERE, Level.BROKER)

    level = models.CharField(max_length=12, choices=Level)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    broker = models.CharField(max_length=24, blank=True, help_text="Of the whole broker: its name in the registry")
    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    scope = models.CharField(max_length=60, editable=False, help_text="What it restricts, as events name it")
    label = models.CharField(max_length=160, help_text="What it restricts, in words")
    state = models.CharField(max_length=8, choices=State)
    cause = models.CharField(max_length=32, default=PERSON, help_text="person, or what found a fault")
    reason = models.TextField()
    cancels_orders = models.BooleanField(default=True, help_text="Open orders it forbids are cancelled")
    since = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    task = models.CharField(max_length=80, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    lifted_reason = models.TextField(blank=True)

    objects = InstallationManager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "cause", "state"], condition=Q(lifted_at__isnull=True), name="restriction_once"
            ),
            models.CheckConstraint(
                condition=Q(tenant__isnull=True, level__in=["everywhere", "broker"])
                | Q(tenant__isnull=False, level__in=["tenant", "account", "portfolio", "cell"]),
                name="restriction_owner",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_reason="")
                | Q(lifted_at__isnull=False) & ~Q(lifted_reason=""),
                name="restriction_lifted_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant"], condition=Q(lifted_at__isnull=True), name="restriction_in_force"),
            models.Index(fields=["scope", "-id"], name="restriction_by_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.state}"

    @property
    def is_in_force(self) -> bool:
        """Whether nobody has lifted it yet."""
        return self.lifted_at is None

    @property
    def who(self) -> str:
        """Return who placed it, in a word: the person, or the task that found a fault."""
        return str(self.by) if self.by is not None else self.task or self.cause
