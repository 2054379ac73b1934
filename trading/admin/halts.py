"""Halts in the console: in force and lifted, placed at every level with what they reach shown first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from portfolios.admin.cells import CellAdmin
from portfolios.admin.forms import ReasonForm
from portfolios.admin.people import TenantsAdmin
from portfolios.models import Cell, Tenant, TradingRestriction
from portfolios.services import cell_resume, place_resume, restriction_lift
from portfolios.standings import broker_place, everywhere, place_of
from trading.admin.places import PlaceChoice
from trading.brokers.registry import broker_names
from trading.selectors.halts import held_at
from trading.services.halts import place_restrict
from trading.services.reach import place_named, reaches
from volbal.common import clock
from volbal.common.admin import TenantAdmin, is_platform_operator, roles_of
from volbal.common.operations import Operation, OperationsAdmin, ServiceForm
from volbal.common.templatetags.figures import age

State = TradingRestriction.State
Level = TradingRestriction.Level


class RestrictForm(ReasonForm):
    """Stop rows of any level, or let them only reduce."""

    state: ClassVar[str]
    cancels_orders = forms.BooleanField(
        required=False, initial=True, label="Cancel open orders it forbids", help_text="At the broker, at once"
    )

    def preview(self, rows: Sequence[Any]) -> Sequence[str]:
        """Say how many cells and orders it reaches."""
        return [str(reach) for reach in reaches([place_of(row) for row in rows])]

    def perform(self, row: Any) -> Model:
        """Call the service."""
        given = self.cleaned_data
        return place_restrict(
            on=place_of(row), state=self.state, origin=self.origin, cancels_orders=given["cancels_orders"]
        )


class HaltForm(RestrictForm):
    """Stop rows of any level."""

    state = State.HALTED


class ReduceForm(RestrictForm):
    """Let rows of any level only reduce."""

    state = State.REDUCING


class ResumeForm(ReasonForm):
    """Resume rows at their own level."""

    def preview(self, rows: Sequence[Any]) -> Sequence[str]:
        """Say what holds them at their own level, and what follows."""
        places = [place_of(row) for row in rows]
        held = [one for place in places for one in held_at(place)]
        return [
            *(f"{one.label} is {one.state} since {one.since:%Y-%m-%d %H:%M} UTC: {one.reason}" for one in held),
            *(reach.resumed for reach in reaches(places)),
        ]

    def perform(self, row: Any) -> Model:
        """Call the service; a paused cell starts again."""
        if isinstance(row, Cell):
            return cell_resume(cell=row, origin=self.origin)
        return place_resume(on=place_of(row), origin=self.origin)[0]


def _is_held(row: Any) -> bool:
    return getattr(row, "held_state", None) is not None


def _is_open(row: Any) -> bool:
    return not getattr(row, "is_archived", False) and getattr(row, "status", "") != Cell.Status.ARCHIVED


def _can_resume(row: Any) -> bool:
    return _is_held(row) or getattr(row, "status", "") == Cell.Status.PAUSED


HALTING = (
    Operation("halt", "Halt", HaltForm, harm="Nothing here trades until a person resumes it.", possible=_is_open),
    Operation(
        "reduce",
        "Reduce only",
        ReduceForm,
        harm="Nothing here buys, and sells go out only towards the guardrails, until a person resumes it.",
        possible=_is_open,
    ),
    Operation("resume", "Resume", ResumeForm, possible=_can_resume),
)


class HaltingAdmin:
    """Mix into a table of what can be halted: shows what holds a row at its own level."""

    level: ClassVar[str]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Add state and reason of the strictest restriction in force on each row itself."""
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]  # the other base has it
        own = TradingRestriction.objects.filter(
            level=self.level, lifted_at__isnull=True, **{f"{self.level}_id": OuterRef("pk")}
        ).order_by("state", "id")  # halted before reducing
        state, reason = (Subquery(own.values(name)[:1]) for name in ("state", "reason"))
        held: QuerySet[Any] = rows.annotate(held_state=state, held_reason=reason)
        return held

    @admin.display(description="Held")
    def held(self, row: Any) -> str:
        """Say what holds it and why."""
        return f"{row.held_state}: {row.held_reason}" if row.held_state else ""

    def describe(self, row: Any) -> str:
        """Say which row it is and whether it is held."""
        told: str = super().describe(row)  # type: ignore[misc]  # the other base has it
        return f"{told}, {self.held(row)}" if _is_held(row) else told


class HaltedCellAdmin(HaltingAdmin, CellAdmin):
    """Cells, with what halts them."""

    level = Level.CELL
    list_display = (*CellAdmin.list_display[:5], "held", *CellAdmin.list_display[5:])
    operations = (*CellAdmin.operations[:2], *HALTING, *CellAdmin.operations[2:])


class HaltedTenantAdmin(HaltingAdmin, TenantsAdmin):
    """Tenants, with what halts them."""

    level = Level.TENANT
    list_display = (*TenantsAdmin.list_display, "held")
    operations = (*TenantsAdmin.operations, *HALTING)


class PlaceForm(PlaceChoice):
    """Place a restriction at any level the person acts on."""

    state = forms.ChoiceField(choices=State.choices, initial=State.HALTED)
    cancels_orders = forms.BooleanField(
        required=False, initial=True, label="Cancel open orders it forbids", help_text="At the broker, at once"
    )
    reason = forms.CharField(max_length=240, help_text="Everyone who is held up by it reads this.")

    def preview(self, rows: Sequence[Any]) -> Sequence[str]:
        """Say what it would reach at the level in the address, or that was chosen."""
        if is_platform_operator(self.request):
            return [str(reach) for reach in reaches([everywhere(), *map(broker_place, broker_names())])]
        return [
            str(reach) for reach in reaches([place_of(one) for one in Tenant.objects.filter(self.within_reach("pk"))])
        ]

    def perform(self, row: Any) -> Model:
        """Call the service."""
        given = self.cleaned_data
        return place_restrict(
            on=self.place(), state=given["state"], origin=self.origin, cancels_orders=given["cancels_orders"]
        )


class LiftForm(ReasonForm):
    """Lift one restriction."""

    def preview(self, rows: Sequence[Any]) -> Sequence[str]:
        """Say what follows."""
        return [reach.resumed for reach in reaches([place_named(row) for row in rows])]

    def perform(self, row: TradingRestriction) -> Model:
        """Call the service."""
        return restriction_lift(restriction=row, origin=self.origin)


class InForceFilter(admin.SimpleListFilter):
    """In force first: what was lifted is history."""

    title = "in force"
    parameter_name = "in_force"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        """Offer what stands beside the default, which is what is in force."""
        return [("no", "Lifted"), ("all", "Both")]

    def choices(self, changelist: Any) -> Any:
        """Name the default for what it shows."""
        first, *others = super().choices(changelist)
        yield {**first, "display": "In force"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow to the half that was asked for."""
        if self.value() == "all":
            return queryset
        return queryset.filter(lifted_at__isnull=self.value() is None)


@admin.register(TradingRestriction)
class TradingRestrictionAdmin(OperationsAdmin, TenantAdmin):
    """Halts in force with their age, and their history."""

    list_display = ("label", "level", "tenant", "state", "reason", "cause", "who", "age", "lifted_reason", "lifted_by")
    list_filter = ("state", "level", "cause", "tenant", InForceFilter)
    list_select_related = ("tenant", "by", "lifted_by")
    search_fields = ("label", "reason")
    create_form: ClassVar[type[ServiceForm] | None] = PlaceForm
    operations = (Operation("lift", "Resume", LiftForm, possible=lambda row: row.is_in_force),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return what concerns the person's tenants; everything and brokers concern everyone."""
        rows: QuerySet[Any] = TradingRestriction.objects.all()
        if is_platform_operator(request):
            return rows
        return rows.filter(tenant_id__in=list(roles_of(request))) | rows.filter(tenant=None)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those who read a tenant also read what holds everyone."""
        if isinstance(obj, TradingRestriction) and obj.tenant_id is None:
            return is_platform_operator(request) or bool(roles_of(request))
        return super().has_view_permission(request, obj)

    @admin.display(ordering="since")
    def age(self, row: TradingRestriction) -> str:
        """Return for how long it is or was in force."""
        return age(((row.lifted_at or clock.now()) - row.since).total_seconds())

    def describe(self, row: TradingRestriction) -> str:
        """Say what is held and why."""
        return (
            f"{row.label} is {row.state}: {row.reason}" if row.is_in_force else f"{row.label} was {row.state}, lifted"
        )


admin.site.unregister([Cell, Tenant])
admin.site.register(Cell, HaltedCellAdmin)
admin.site.register(Tenant, HaltedTenantAdmin)
