"""Versions of a cell's parameters. A decision names the version it used."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from portfolios.models.cell import Cell
from portfolios.models.fields import money_field, shares_field
from portfolios.models.tenant import TenantOwned
from volbal.common.append_only import append_only


def _fraction(**options: Any) -> models.DecimalField[Any, Any]:
    return models.DecimalField(max_digits=16, decimal_places=10, **options)


def _between(name: str, *conditions: Q) -> models.CheckConstraint:
    condition = Q()
    for part in conditions:
        condition &= part
    return models.CheckConstraint(condition=condition, name=f"parameters_{name}_bounds")


@append_only
class ParameterVersion(TenantOwned):
    """One version of a cell's parameters (strategy 2). Every threshold is a positive fraction.

    Commission and after hours are not here: they come from the account's schedule and the portfolio's policy, and are
    resolved into the rule's parameters when a decision is made.
    """

    class Sizing(models.TextChoices):
        PROPORTIONAL = "proportional", "Proportional"
        FIXED_PERCENTAGE = "fixed_percentage", "Fixed percentage"
        ORIGINAL = "original", "Original"

    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="parameter_versions")
    number = models.PositiveIntegerField()
    strategy = models.CharField(max_length=32, default="volatility_balancing")
    preset = models.CharField(max_length=24, blank=True)

    trigger_up = _fraction(default=Decimal("0.03"))
    trigger_down = _fraction(default=Decimal("0.03"))
    rebalance_ratio = _fraction(default=Decimal("1.6667"))
    sizing = models.CharField(max_length=16, choices=Sizing, default=Sizing.PROPORTIONAL)
    min_stock = _fraction(default=Decimal("0.25"))
    max_stock = _fraction(default=Decimal("0.75"))
    guardrail_tolerance = _fraction(default=Decimal("0.01"))
    auto_rebalance = models.BooleanField(default=True)
    min_notional = money_field(default=Decimal(100))
    min_quantity = shares_field(default=Decimal(0))
    quantity_step = shares_field(default=Decimal("0.000001"))
    max_trade_fraction = _fraction(default=Decimal("0.25"))
    max_orders_per_day = models.PositiveIntegerField(default=5)
    withholding_rate = _fraction(default=Decimal("0.25"))
    adaptive_multiple = _fraction(default=Decimal(0))
    adaptive_floor = _fraction(default=Decimal("0.01"))
    adaptive_cap = _fraction(default=Decimal("0.10"))
    adaptive_decay = _fraction(default=Decimal("0.94"))
    stop_loss = _fraction(null=True, blank=True)
    slice_notional = money_field(null=True, blank=True)
    slice_interval_seconds = models.PositiveIntegerField(default=60)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["cell_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["cell", "number"], name="parameters_number_once"),
            _between("trigger_up", Q(trigger_up__gt=0, trigger_up__lt=1)),
            _between("trigger_down", Q(trigger_down__gt=0, trigger_down__lt=1)),
            _between(
                "rebalance_ratio",
                Q(rebalance_ratio__gt=0),
                ~Q(sizing="fixed_percentage") | Q(rebalance_ratio__lte=1),
            ),
            _between("guardrails", Q(min_stock__gte=0, min_stock__lt=F("max_stock"), max_stock__lte=1)),
            _between("guardrail_tolerance", Q(guardrail_tolerance__gte=0)),
            _between("minimums", Q(min_notional__gte=0, min_quantity__gte=0)),
            _between("quantity_step", Q(quantity_step__gte=Decimal("0.000001"))),
            _between("max_trade_fraction", Q(max_trade_fraction__gt=0, max_trade_fraction__lte=1)),
            _between("max_orders_per_day", Q(max_orders_per_day__gte=1)),
            _between("withholding_rate", Q(withholding_rate__gte=0, withholding_rate__lt=1)),
            _between(
                "adaptive",
                Q(
                    adaptive_multiple__gte=0,
                    adaptive_floor__gt=0,
                    adaptive_floor__lte=F("adaptive_cap"),
                    adaptive_cap__lt=1,
                ),
                Q(adaptive_decay__gt=0, adaptive_decay__lt=1),
            ),
            _between("stop_loss", Q(stop_loss__isnull=True) | Q(stop_loss__gt=0, stop_loss__lt=1)),
            _between(
                "slices",
                Q(slice_notional__isnull=True) | Q(slice_notional__gt=0),
                Q(slice_interval_seconds__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"
