"""Files of old evaluations, and how long HOLD rows stay in their table."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.forms import ReasonForm
from trading.models import EvaluationArchive, RetentionPolicy
from trading.services.archives import retention_days, retention_set
from volbal.common.admin import SharedAdmin, TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin


@admin.register(EvaluationArchive)
class EvaluationArchiveAdmin(TenantAdmin):
    """Files of old HOLD evaluations."""

    list_display = (
        "month", "portfolio", "row_count", "first_as_of", "last_as_of", "size_bytes", "created_at", "removed_at",
        "sha256", "file",
    )  # fmt: skip
    list_filter = ("portfolio", "month", ("removed_at", admin.EmptyFieldListFilter))
    list_select_related = ("portfolio",)
    search_fields = ("portfolio__name", "sha256")


class RetentionForm(ReasonForm):
    """Say how many days HOLD evaluations stay in their table."""

    hold_days = forms.IntegerField(
        min_value=1, label="Days", help_text="Then they are archived to files, from where pages still show them"
    )

    def prepare(self) -> None:
        """Fill in what is set now."""
        self.fields["hold_days"].initial = retention_days()

    def perform(self, row: RetentionPolicy) -> Model:
        """Call the service."""
        return retention_set(hold_days=self.cleaned_data["hold_days"], origin=self.origin)


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(OperationsAdmin, SharedAdmin):
    """How long HOLD evaluations stay in their table; the platform operator sets it."""

    list_display = ("hold_days", "changed_at")
    operations = (Operation("set", "Set days", RetentionForm),)
