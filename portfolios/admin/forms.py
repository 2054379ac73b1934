"""What the console's forms share: origin, reason, moment, and choices within reach."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import Q

from portfolios.models import Portfolio
from portfolios.selectors import present_moment
from portfolios.services import Origin
from volbal.common.admin import ACTING_ROLES, is_platform_operator, roles_of
from volbal.common.operations import ServiceForm


class OwnedForm(ServiceForm):
    """A form whose service records who asked, and why when it asks for a reason."""

    @property
    def origin(self) -> Origin:
        """Return who performs this, with the reason typed."""
        return Origin(actor_id=self.request.user.pk, reason=self.cleaned_data.get("reason", ""))

    def moment(self, portfolio: Portfolio) -> dt.datetime:
        """Return the time that entries of `portfolio` are dated."""
        return present_moment(portfolio)

    def within_reach(self, path: str) -> Q:
        """Return the condition on rows whose tenant, found by `path`, the person acts in."""
        if is_platform_operator(self.request):
            return Q()
        acting = [tenant_id for tenant_id, role in roles_of(self.request).items() if role in ACTING_ROLES]
        return Q(**{f"{path}__in": acting})

    def narrow(self, name: str, rows: Any) -> None:
        """Let the choice `name` offer only `rows`."""
        field = self.fields[name]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = rows
            only = list(rows[:2])
            if len(only) == 1:
                field.initial = only[0]


class PlainForm(OwnedForm):
    """A form that asks nothing but to go on."""


class ReasonForm(OwnedForm):
    """A form that asks why, after all else."""

    def order_fields(self, field_order: Iterable[str] | None) -> None:
        """Put the reason last, whatever a form adds."""
        super().order_fields(field_order)
        self.fields["reason"] = self.fields.pop("reason")

    reason = forms.CharField(max_length=240, help_text="Kept with the change.")
