"""Orders worked in slices in the console: how far they are, and an end by hand."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model

from portfolios.admin.forms import ReasonForm
from trading.models import OrderPlan
from trading.services.order_plans import plan_cancel
from volbal.common.admin import TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin
from volbal.common.templatetags.figures import words


class EndForm(ReasonForm):
    """Let no more slices of an order go out."""

    def perform(self, row: OrderPlan) -> Model:
        """Call the service."""
        plan_cancel(plan=row, as_of=self.moment(row.cell.portfolio), origin=self.origin)
        return row


@admin.register(OrderPlan)
class OrderPlanAdmin(OperationsAdmin, TenantAdmin):
    """Orders worked in slices, and why they ended."""

    list_display = (
        "as_of", "cell", "side", "quantity", "filled_quantity", "submitted", "slice_count", "next_at", "status",
        "ended_because", "why",
    )  # fmt: skip
    list_filter = ("status", "side", "as_of")
    list_select_related = ("cell__instrument", "cell__portfolio")
    search_fields = ("cell__instrument__symbol",)
    operations = (
        Operation("end", "End", EndForm, harm="No more slices go out; one that is at the broker stays there."),
    )

    @admin.display(description="Reason", ordering="reason")
    def why(self, row: OrderPlan) -> str:
        """Return the reason in words."""
        return words(row.reason)

    def describe(self, row: OrderPlan) -> str:
        """Say which order it is and how far."""
        return f"{row.cell}: {row}, {row.submitted} submitted, {row.get_status_display().lower()}"
