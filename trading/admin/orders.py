"""Orders, their moves and fills: read only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from portfolios.admin.forms import PlainForm, ReasonForm
from trading.models import Fill, FillCursor, Order, OrderTransition, StuckOrder
from trading.selectors.orders import GROUPS, begun, of_group, stuck, stuck_because
from trading.services.commission_corrections import commission_correct
from trading.services.manual_orders import order_ask_now, order_cancel_by_hand, order_note
from trading.services.overfills import overfill_keep, overfill_trade_back
from volbal.common import clock
from volbal.common.admin import ReadOnlyAdmin, TenantAdmin
from volbal.common.operations import Operation, OperationsAdmin
from volbal.common.templatetags.figures import age as age_text
from volbal.common.templatetags.figures import words


class AskForm(PlainForm):
    """Ask the broker now."""

    def preview(self, rows: Sequence[Any]) -> Sequence[str]:
        """Say what asking does."""
        return [
            "The broker is asked what became of it, and what it says is booked, its fills included.",
            "It is sent again only where the broker does not know it and has had time to; it is never placed twice.",
        ]

    def perform(self, row: Order) -> Model:
        """Call the service."""
        return order_ask_now(order=row, origin=self.origin)


class CancelForm(ReasonForm):
    """Cancel orders."""

    def perform(self, row: Order) -> Model:
        """Call the service."""
        return order_cancel_by_hand(order=row, origin=self.origin)


class NoteForm(PlainForm):
    """Take note of what went wrong."""

    def perform(self, row: Order) -> Model:
        """Call the service."""
        return order_note(order=row, origin=self.origin)


class TradeBackForm(ReasonForm):
    """Trade the excess of overfilled orders back."""

    def perform(self, row: Order) -> Model:
        """Call the service."""
        return overfill_trade_back(order=row, origin=self.origin)


class KeepForm(ReasonForm):
    """Keep the excess of overfilled orders, and set the anchor to their price."""

    def perform(self, row: Order) -> Model:
        """Call the service."""
        return overfill_keep(order=row, origin=self.origin)


class GroupFilter(admin.SimpleListFilter):
    """Orders by how they stand."""

    title, parameter_name = "state group", "group"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the groups."""
        return list(GROUPS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        """Narrow to one group."""
        return queryset.filter(of_group(self.value() or "", clock.now()))


@admin.register(Order)
class OrderAdmin(OperationsAdmin, TenantAdmin):
    """What we wanted done, and how far it is."""

    list_display: ClassVar[Any] = (
        "as_of", "cell", "side", "quantity", "type", "limit_price", "stop_price", "time_in_force", "status", "age",
        "status_detail", "reject_code", "filled_quantity", "is_overfilled", "notional", "commission", "why", "purpose",
        "actor", "note", "expires_at", "client_order_id", "broker_order_id",
    )  # fmt: skip
    list_filter: ClassVar[Any] = (GroupFilter, "status", "purpose", "side", "reason", "reject_code", "account", "as_of")
    list_select_related = ("cell__instrument", "account", "actor")
    search_fields = ("client_order_id", "broker_order_id", "cell__instrument__symbol", "note")
    operations = (
        Operation("ask", "Ask the broker now", AskForm, possible=lambda order: not order.has_ended),
        Operation(
            "cancel", "Cancel", CancelForm, harm="What is not filled yet is not carried out.",
            possible=lambda order: order.is_cancellable,
        ),
        Operation(
            "trade_back", "Trade the excess back", TradeBackForm, possible=lambda order: order.is_to_be_settled,
            harm="An order at the market goes to the broker: it sells what was bought too much, or buys what was sold.",
        ),
        Operation(
            "keep", "Keep the excess, set the anchor to its price", KeepForm,
            possible=lambda order: order.is_to_be_settled,
            harm="The cell keeps the shares and decides from this price on.",
        ),
        Operation("note", "Take note", NoteForm, possible=lambda order: order.is_failed),
    )  # fmt: skip

    def describe(self, row: Order) -> str:
        """Say which order it is and how it stands."""
        return (
            f"{row.cell}: {row.side.lower()} {row.quantity.normalize():f}, {row.filled_quantity.normalize():f} filled, "
            f"{row.get_status_display().lower()} for {age_text(row.status_age_seconds)}. {begun(row.status_detail)}"
        ).rstrip()

    @admin.display(description="In this state for", ordering="-status_at")
    def age(self, row: Order) -> str:
        """Return for how long it has been as it is; ended orders only grow older."""
        return "" if row.has_ended else age_text(row.status_age_seconds)

    @admin.display(description="Reason", ordering="reason")
    def why(self, row: Order) -> str:
        """Return the reason in words."""
        return words(row.reason)


@admin.register(StuckOrder)
class StuckOrderAdmin(OrderAdmin):
    """Orders that do not go on by themselves, with what stands in their way."""

    list_display = (
        "cell", "side", "quantity", "filled_quantity", "broker_filled_quantity", "status", "age", "because",
        "broker_status", "account", "client_order_id", "broker_order_id",
    )  # fmt: skip
    list_filter = ("status", "account")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """List what is stuck; an order that was just set going still has its page."""
        rows = super().get_queryset(request)
        place = request.resolver_match
        is_list = place is not None and str(place.url_name).endswith("_changelist")
        return rows.filter(stuck(clock.now())) if is_list else rows

    @admin.display(description="What stands in its way")
    def because(self, row: Order) -> str:
        """Return it in a sentence."""
        return stuck_because(row, clock.now())


@admin.register(OrderTransition)
class OrderTransitionAdmin(TenantAdmin):
    """Every move of every order."""

    list_display = ("recorded_at", "order", "before", "after", "detail")
    ordering = ("-id",)
    list_filter = ("after", "recorded_at")
    list_select_related = ("order",)
    search_fields = ("order__client_order_id",)


class CommissionForm(ReasonForm):
    """Book what the broker charged for a fill's order in all."""

    commission = forms.DecimalField(decimal_places=2, max_digits=20, help_text="For the whole order, by the broker")

    def perform(self, row: Fill) -> Model:
        """Call the service."""
        commission_correct(
            account=row.account,
            broker_fill_id=row.broker_fill_id,
            commission=self.cleaned_data["commission"],
            origin=self.origin,
        )
        return row


@admin.register(Fill)
class FillAdmin(OperationsAdmin, TenantAdmin):
    """Brokers' reports, as booked."""

    operations = (Operation("commission", "Correct the commission", CommissionForm),)

    list_display = (
        "as_of", "cell", "side", "quantity", "price", "notional", "commission", "account", "broker_fill_id",
    )  # fmt: skip
    list_filter = ("account", "as_of", "order__side")
    list_select_related = ("account", "order__cell__instrument")
    search_fields = ("broker_fill_id", "order__client_order_id", "order__cell__instrument__symbol")

    @admin.display(ordering="order__cell__instrument__symbol")
    def cell(self, row: Fill) -> str:
        """Return the cell that bought or sold."""
        return str(row.order.cell)

    @admin.display(ordering="order__side")
    def side(self, row: Fill) -> str:
        """Return which way it went."""
        return row.order.get_side_display()


@admin.register(FillCursor)
class FillCursorAdmin(ReadOnlyAdmin):
    """How far each account's reports have been read."""

    list_display = ("account", "position")
    list_select_related = ("account",)
