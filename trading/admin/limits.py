"""Limits in the console: set, rehearsed, switched; and each time one was broken."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from portfolios.admin.forms import ReasonForm
from trading.admin.places import PlaceChoice
from trading.models import BreakerTrip, DayOpening, LimitBaseline, TradingLimit
from trading.selectors.limits import threshold_text
from trading.selectors.rehearsals import rehearsal
from trading.services.limits import limit_set, limit_switch
from trading.services.reach import place_named
from volbal.common.admin import TenantAdmin, is_platform_operator, roles_of
from volbal.common.operations import Operation, OperationsAdmin


class LimitForm(PlaceChoice):
    """Set a limit at any level the person acts on, having seen what stands at each."""

    kind = forms.ChoiceField(choices=TradingLimit.Kind.choices)
    threshold = forms.DecimalField(
        max_digits=20,
        decimal_places=6,
        help_text="A fraction for drawdown, loss and concentration (0.1 is 10 %); an amount for notional and stock; a "
        "count for orders and rejects; seconds for the age of a price; 1 for disagreement",
    )
    window_seconds = forms.IntegerField(required=False, min_value=1, help_text="With counts; empty: a day")
    action = forms.ChoiceField(choices=TradingLimit.Action.choices, initial=TradingLimit.Action.HALTED)
    mode = forms.ChoiceField(choices=TradingLimit.Mode.choices, initial=TradingLimit.Mode.REHEARSING)
    reason = forms.CharField(max_length=240, help_text="Kept with the change.")

    def perform(self, row: Any) -> Model:
        """Call the service."""
        names = ("kind", "threshold", "window_seconds", "action", "mode")
        given = {name: self.cleaned_data[name] for name in names}
        return limit_set(on=self.place(), origin=self.origin, **given)


class SwitchForm(ReasonForm):
    """Switch limits off, to rehearsing, or on, having seen what their history says."""

    mode = forms.ChoiceField(choices=TradingLimit.Mode.choices)

    def prepare(self) -> None:
        """Show the present mode."""
        if isinstance(self.row, TradingLimit):
            self.fields["mode"].initial = self.row.mode

    def preview(self, rows: Sequence[Any]) -> Sequence[str]:
        """Say what each would have done over the history there is."""
        return [f"{row}, at {threshold_text(row)}: {rehearsal(row).summary}" for row in rows]

    def perform(self, row: TradingLimit) -> Model:
        """Call the service."""
        return limit_switch(limit=row, mode=self.cleaned_data["mode"], origin=self.origin)


class ThresholdForm(ReasonForm):
    """Change a limit's threshold and window."""

    threshold = forms.DecimalField(max_digits=20, decimal_places=6, min_value=Decimal("0.000001"))
    window_seconds = forms.IntegerField(required=False, min_value=1, help_text="With counts")

    def prepare(self) -> None:
        """Show the present values."""
        if isinstance(self.row, TradingLimit):
            self.fields["threshold"].initial = self.row.threshold.normalize()
            self.fields["window_seconds"].initial = self.row.window_seconds

    def perform(self, row: TradingLimit) -> Model:
        """Call the service."""
        given = {name: self.cleaned_data[name] for name in ("threshold", "window_seconds")}
        return limit_set(
            on=place_named(row), kind=row.kind, action=row.action, mode=row.mode, origin=self.origin, **given
        )


@admin.register(TradingLimit)
class TradingLimitAdmin(OperationsAdmin, TenantAdmin):
    """How far things may go, and what happens then."""

    list_display = ("label", "level", "tenant", "kind", "at", "window_seconds", "action", "mode")
    list_filter = ("mode", "level", "kind", "action", "tenant")
    list_select_related = ("tenant",)
    search_fields = ("label",)
    create_form = LimitForm
    operations = (
        Operation("switch", "Switch", SwitchForm),
        Operation("threshold", "Change threshold", ThresholdForm),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return those of the person's tenants, and those everywhere and on brokers, which everyone stands under."""
        rows: QuerySet[Any] = TradingLimit.objects.select_related(*self.list_select_related)
        if is_platform_operator(request):
            return rows
        return rows.filter(tenant_id__in=list(roles_of(request))) | rows.filter(tenant=None)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those who read a tenant also read the limits that everyone stands under."""
        if isinstance(obj, TradingLimit) and obj.is_shared:
            return is_platform_operator(request) or bool(roles_of(request))
        return super().has_view_permission(request, obj)

    @admin.display(ordering="threshold")
    def at(self, row: TradingLimit) -> str:
        """Return its threshold with its unit."""
        return threshold_text(row)

    def describe(self, row: TradingLimit) -> str:
        """Say what it limits, where it stands and what it does."""
        return f"{row} at {threshold_text(row)}: {row.get_action_display().lower()}, {row.get_mode_display().lower()}"


@admin.register(BreakerTrip)
class BreakerTripAdmin(TenantAdmin):
    """Each time a limit was broken, and what was done."""

    list_display = ("label", "tenant", "kind", "sentence", "action", "is_rehearsal", "as_of", "recorded_at")
    list_filter = ("kind", "action", "is_rehearsal", "tenant")
    list_select_related = ("tenant",)
    search_fields = ("label", "sentence")


@admin.register(LimitBaseline)
class LimitBaselineAdmin(TenantAdmin):
    """From where limits are measured again after somebody resumed what they had stopped."""

    list_display = ("scope", "tenant", "kind", "value", "as_of", "recorded_at")
    list_filter = ("kind", "tenant")
    list_select_related = ("tenant",)


@admin.register(DayOpening)
class DayOpeningAdmin(TenantAdmin):
    """Where what a limit is about stood as a day began: what the day is judged from."""

    list_display = ("scope", "tenant", "day", "value", "moved", "peak", "peak_day")
    list_filter = ("day", "tenant")
    list_select_related = ("tenant",)
