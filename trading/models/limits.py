"""Limits that people set, and each time one was broken."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from portfolios.models import BrokerAccount, Cell, Portfolio, Tenant, TradingRestriction
from portfolios.models.fields import money_field
from volbal.common.append_only import append_only
from volbal.common.tenancy import InstallationManager, TenantManager

Level = TradingRestriction.Level


class TradingLimit(models.Model):
    """How far something may go before it is told, reduced or halted, at any level from one cell to everywhere.

    Rehearsing, it records what it would have done and does nothing. Those everywhere or on a broker belong to no
    tenant; everyone reads them. Each row names all that stands above what it limits.
    """

    class Kind(models.TextChoices):
        DRAWDOWN = "drawdown", "Drawdown from the peak"
        DAILY_LOSS = "daily_loss", "Loss of the day"
        DAILY_NOTIONAL = "daily_notional", "Notional of the day"
        ORDERS_IN_WINDOW = "orders_in_window", "Orders in a window"
        REJECTS = "consecutive_rejects", "Rejects in a row"
        STALE_DATA = "stale_data", "Age of the price while the market is open"
        DISAGREEMENT = "broker_disagreement", "Disagreement with the broker"
        EXPOSURE = "exposure", "Value held in stock"
        CONCENTRATION = "concentration", "Share of the value in one instrument"

    class Action(models.TextChoices):
        ALERT = "alert", "Tell"
        REDUCING = "reducing", "Reduce only"
        HALTED = "halted", "Halt"

    class Mode(models.TextChoices):
        OFF = "off", "Off"
        REHEARSING = "rehearsing", "Rehearsing"
        ON = "on", "On"

    FRACTIONS = (Kind.DRAWDOWN, Kind.DAILY_LOSS, Kind.CONCENTRATION)
    COUNTS = (Kind.ORDERS_IN_WINDOW, Kind.REJECTS)
    # Judged cell by cell wherever it was set, and acting on the cell concerned.
    OF_EACH_CELL = (Kind.REJECTS, Kind.STALE_DATA)

    level = models.CharField(max_length=12, choices=Level)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    broker = models.CharField(max_length=24, blank=True, help_text="Of the whole broker: its name in the registry")
    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="limits", null=True, blank=True)
    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="limits", null=True, blank=True)
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="limits", null=True, blank=True)
    scope = models.CharField(max_length=60, editable=False, help_text="What it limits, as events name it")
    label = models.CharField(max_length=160, help_text="What it limits, in words")
    kind = models.CharField(max_length=20, choices=Kind)
    threshold = models.DecimalField(
        max_digits=20, decimal_places=6, help_text="A fraction, an amount, a count or seconds, by its kind"
    )
    window_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="With counts")
    action = models.CharField(max_length=8, choices=Action, default=Action.HALTED)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.OFF)
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = InstallationManager()

    class Meta:
        ordering = ["scope", "kind", "action"]
        constraints = [
            models.UniqueConstraint(fields=["scope", "kind", "action"], name="limit_once"),
            models.CheckConstraint(
                condition=Q(tenant__isnull=True, level__in=["everywhere", "broker"])
                | Q(tenant__isnull=False, level__in=["tenant", "account", "portfolio", "cell"]),
                name="limit_owner",
            ),
            models.CheckConstraint(condition=Q(threshold__gt=0), name="limit_threshold_bounds"),
            models.CheckConstraint(
                condition=Q(window_seconds__isnull=True) | Q(window_seconds__gte=1), name="limit_window_bounds"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.get_kind_display().lower()}"

    @property
    def is_fraction(self) -> bool:
        """Whether its threshold is a fraction, shown as a percentage."""
        return self.kind in self.FRACTIONS

    @property
    def is_shared(self) -> bool:
        """Whether it is the installation's, and the platform operator's to change."""
        return self.tenant_id is None


class _FirmsOrNoOne(models.Model):
    """A row of one firm, or of the installation: those only the platform operator reads, for they add up all firms."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", null=True, blank=True)

    objects = TenantManager()

    class Meta:
        abstract = True


@append_only
class BreakerTrip(_FirmsOrNoOne):
    """A limit that was broken: what was measured, and what was done, or would have been in a rehearsal.

    `cause` names the episode, once: the same peak, day or run of rejects trips once however often it is looked at.
    """

    limit = models.ForeignKey(TradingLimit, on_delete=models.PROTECT, related_name="trips", null=True, blank=True)
    kind = models.CharField(max_length=20, choices=TradingLimit.Kind)
    scope = models.CharField(max_length=60, help_text="What it acts on")
    label = models.CharField(max_length=160)
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    portfolio = models.ForeignKey(Portfolio, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    cause = models.CharField(max_length=120)
    sentence = models.CharField(max_length=300)
    measured = models.DecimalField(max_digits=24, decimal_places=6, null=True, blank=True)
    threshold = models.DecimalField(max_digits=20, decimal_places=6, null=True, blank=True)
    figures = models.JSONField(default=dict)
    action = models.CharField(max_length=8, choices=TradingLimit.Action)
    is_rehearsal = models.BooleanField(default=False)
    restriction = models.ForeignKey(
        TradingRestriction, on_delete=models.PROTECT, related_name="trips", null=True, blank=True
    )
    as_of = models.DateTimeField(help_text="The prices' time")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["scope", "kind", "action", "cause"], name="breaker_trip_once")]

    def __str__(self) -> str:
        return f"{self.label}: {self.kind}"


@append_only
class LimitBaseline(_FirmsOrNoOne):
    """From where a limit is measured again after a person resumed what it had stopped: the value at that time."""

    restriction = models.OneToOneField(TradingRestriction, on_delete=models.PROTECT, related_name="baseline")
    scope = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    value = money_field(default=Decimal(0))
    as_of = models.DateTimeField(help_text="The prices' time from which it counts")
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["scope", "kind", "-id"], name="limit_baseline_newest")]

    def __str__(self) -> str:
        return f"{self.scope} {self.kind} from {self.as_of:%Y-%m-%d %H:%M}"


class DayOpening(_FirmsOrNoOne):
    """Where the value of what a limit is about stood as a day began, so that the day is judged without its history.

    `index` grows by gains and losses alone, 1 at the start, and `peak` is its highest at the end of a finished day.
    `moved` came in after the last finished day's mark, up to the ledger entry `entry_id`; later entries are added by
    whoever asks. `since` is the baseline it counts from, 0 for the start; `members` tells which cells it is of.
    """

    scope = models.CharField(max_length=60)
    since = models.BigIntegerField(default=0)
    members = models.CharField(max_length=64)
    day = models.DateField()
    value = money_field(help_text="At the end of the last finished day")
    moved = money_field(default=Decimal(0))
    entry_id = models.BigIntegerField(default=0)
    index = models.FloatField(default=1.0)
    peak = models.FloatField(default=1.0)
    peak_day = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "since"], name="day_opening_once")]

    def __str__(self) -> str:
        return f"{self.scope} on {self.day}"
