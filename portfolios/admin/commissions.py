"""What orders cost, by level, in the console."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from portfolios.admin.forms import OwnedForm, ReasonForm
from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount, CommissionSchedule, Instrument, Tenant
from portfolios.services import commission_set, commission_withdraw
from volbal.common.admin import TenantAdmin, is_platform_operator, roles_of
from volbal.common.errors import Refused
from volbal.common.operations import Operation, OperationsAdmin


class CommissionForm(OwnedForm):
    """Say what orders cost at a level."""

    tenant = forms.ModelChoiceField(queryset=Tenant.objects.none(), required=False, help_text="Empty: everywhere")
    account = forms.ModelChoiceField(queryset=BrokerAccount.objects.none(), required=False)
    instrument = forms.ModelChoiceField(queryset=Instrument.objects.all(), required=False)
    rate = forms.DecimalField(
        initial=Decimal("0.0001"), max_digits=9, decimal_places=8, help_text="A fraction: 0.0001 is 0.01 %"
    )
    per_share = forms.DecimalField(initial=Decimal(0), decimal_places=6, help_text="In the account's currency")
    minimum = forms.DecimalField(initial=Decimal(0), decimal_places=2, help_text="Each order")
    cap = forms.DecimalField(required=False, decimal_places=2, help_text="At most so much an order; empty: no limit")

    def prepare(self) -> None:
        """Offer the tenants and accounts the person acts in; only the platform operator sets it everywhere."""
        self.narrow("tenant", Tenant.objects.filter(self.within_reach("pk")))
        self.narrow("account", BrokerAccount.objects.filter(self.within_reach("tenant")))
        self.fields["account"].initial = None
        self.fields["tenant"].required = not is_platform_operator(self.request)

    def perform(self, row: Any) -> Model:
        """Call the service."""
        given = self.cleaned_data
        if given["account"] is not None and given["account"].tenant != given["tenant"]:
            raise Refused(
                f"{given['account']} is no account of {given['tenant'] or 'no tenant'}.", code="not_its_account"
            )
        terms = CommissionTerms(given["rate"], given["per_share"], given["minimum"], given["cap"])
        levels = {name: given[name] for name in ("tenant", "account", "instrument")}
        return commission_set(terms=terms, origin=self.origin, **levels)


class CommissionWithdrawForm(ReasonForm):
    """Withdraw a schedule."""

    def perform(self, row: CommissionSchedule) -> Model:
        """Call the service."""
        commission_withdraw(schedule=row, origin=self.origin)
        return row


@admin.register(CommissionSchedule)
class CommissionScheduleAdmin(OperationsAdmin, TenantAdmin):
    """Schedules; the most specific counts, as a whole."""

    list_display = ("scope", "tenant", "account", "instrument", "rate", "per_share", "minimum", "cap")
    list_filter = ("tenant", "instrument")
    list_select_related = ("tenant", "account", "instrument")
    search_fields = ("scope",)
    create_form = CommissionForm
    operations = (
        Operation(
            "withdraw",
            "Withdraw",
            CommissionWithdrawForm,
            harm="Orders made from now on cost what the next level says.",
            removes=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the schedules of the person's tenants and those of the installation."""
        rows = self.model._default_manager.get_queryset()
        if is_platform_operator(request):
            return rows
        return rows.filter(tenant_id__in=list(roles_of(request))) | rows.filter(tenant=None)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those who read a tenant also read what applies everywhere."""
        if isinstance(obj, CommissionSchedule) and obj.tenant_id is None:
            return is_platform_operator(request) or bool(roles_of(request))
        return super().has_view_permission(request, obj)

    def describe(self, row: CommissionSchedule) -> str:
        """Say what it costs."""
        return f"{row.scope}: {row.rate:f} of the notional, at least {row.minimum:,}"
