"""Agreement with brokers in the console: which accounts agree, and what differs."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model

from portfolios.admin.forms import PlainForm, ReasonForm
from trading import tasks
from trading.models import AccountReconciliation, BrokerDifference
from trading.services.reconciliation import difference_accept
from volbal.common.admin import TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin
from volbal.common.starting import task_start


class CompareForm(PlainForm):
    """Compare accounts with their brokers now."""

    def perform(self, row: AccountReconciliation | BrokerDifference) -> Model:
        """Wake the task."""
        task_start(tasks.reconcile_account, row.tenant_id, row.account_id)
        return row


class AcceptForm(ReasonForm):
    """Accept a difference."""

    def perform(self, row: BrokerDifference) -> Model:
        """Call the service."""
        difference_accept(difference=row, origin=self.origin)
        return row


@admin.register(AccountReconciliation)
class AccountReconciliationAdmin(OperationsAdmin, TenantAdmin):
    """How each account stands with its broker; what does not agree does not trade."""

    list_display = (
        "account",
        "tenant",
        "status",
        "status_at",
        "checked_at",
        "agreed_at",
        "unreachable_since",
        "detail",
    )
    list_filter = ("status", ("unreachable_since", admin.EmptyFieldListFilter), "tenant")
    list_select_related = ("account", "tenant")
    search_fields = ("account__name",)
    operations = (Operation("compare", "Compare now", CompareForm),)

    def describe(self, row: AccountReconciliation) -> str:
        """Say how it stands."""
        return f"{row.account.name}: {row.get_status_display().lower()}. {row.detail}".strip()


@admin.register(BrokerDifference)
class BrokerDifferenceAdmin(OperationsAdmin, TenantAdmin):
    """What differs, with its cause and age."""

    list_display = (
        "first_seen_at", "account", "kind", "subject", "status", "cause", "ours", "theirs", "last_seen_at",
        "seen_count", "resolved_at", "reason",
    )  # fmt: skip
    list_filter = ("status", "kind", "account", "first_seen_at")
    list_select_related = ("account",)
    search_fields = ("subject", "cause", "account__name")
    operations = (
        Operation(
            "accept",
            "Accept the difference",
            AcceptForm,
            harm="The account trades again although broker and books differ by this much.",
            possible=lambda row: row.status in BrokerDifference.UNRESOLVED,
        ),
        Operation("compare", "Compare again now", CompareForm),
    )

    def describe(self, row: BrokerDifference) -> str:
        """Say what differs."""
        return f"{row.account.name}, {row.get_status_display().lower()}: {row.cause}"
