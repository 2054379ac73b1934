"""Orders by hand from the console: an operation on cells."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django import forms
from django.contrib import admin
from django.db.models import Model

from portfolios.admin.forms import ReasonForm
from portfolios.models import Cell
from trading.admin.halts import HaltedCellAdmin
from trading.models import Order
from trading.services.order_placing import OrderTerms, order_place
from volbal.common.operations import Operation


class OrderForm(ReasonForm):
    """Place an order in each chosen cell. `key` makes a second click the same order."""

    side = forms.ChoiceField(choices=Order.Side.choices)
    quantity = forms.DecimalField(min_value=Decimal("0.000001"), help_text="Shares")
    type = forms.ChoiceField(choices=Order.Type.choices, initial=Order.Type.LIMIT)
    limit_price = forms.DecimalField(required=False, help_text="For limit and stop-limit orders")
    stop_price = forms.DecimalField(required=False, help_text="For stop and stop-limit orders")
    time_in_force = forms.ChoiceField(choices=Order.TimeInForce.choices, label="Lasts")
    key = forms.UUIDField(required=False, widget=forms.HiddenInput, initial=uuid.uuid4)

    def perform(self, row: Cell) -> Model:
        """Call the service."""
        values = {name: value for name, value in self.cleaned_data.items() if name not in ("reason", "key")}
        order_place(cell=row, terms=OrderTerms(**values), origin=self.origin, key=str(self.cleaned_data["key"] or ""))
        return row


class TradedCellAdmin(HaltedCellAdmin):
    """Cells, with what halts them and orders by hand."""

    operations = (
        *HaltedCellAdmin.operations,
        Operation(
            "order",
            "Place an order",
            OrderForm,
            harm="It goes to the broker at once. While it is open the rule does not act in these cells.",
            possible=lambda cell: cell.status != Cell.Status.ARCHIVED,
        ),
    )


admin.site.unregister(Cell)
admin.site.register(Cell, TradedCellAdmin)
