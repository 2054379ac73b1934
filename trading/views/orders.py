"""What people do with orders on a cell's page: place one, cancel one, settle or take note of one that went wrong."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods

from trading.models import Order
from trading.selectors.effects import Effect, effect_of_anchor, effect_of_order
from trading.services.manual_orders import order_cancel_by_hand, order_note
from trading.services.order_placing import OrderTerms, order_place
from trading.services.overfills import OPPOSITE, overfill_keep, overfill_trade_back
from trading.views.access import get_cell, origin_of, writer_page
from trading.views.actions import dialog
from trading.views.forms import OrderForm, ReasonForm
from volbal.common import numbers

WARNING = "While it is open the rule does not act in this cell. It counts among the day's orders, and moves the anchor."


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def place(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Place an order by hand, its effect shown before."""
    cell = get_cell(cell_id)

    def act(form: OrderForm) -> str:
        origin = origin_of(request, form.cleaned_data["note"])
        order = order_place(cell=cell, terms=form.terms(), origin=origin, key=str(form.cleaned_data["key"]))
        return f"An order to {order.side.lower()} {order.quantity.normalize():f} {cell} is on its way."

    form = OrderForm(request.POST or None, initial={"key": uuid.uuid4()}, currency=cell.portfolio.account.currency)
    return dialog(
        request, cell, form, f"Place an order in {cell}", act, lambda one: effect_of_order(cell, one.terms()),
        note=WARNING, confirm="Place the order", tab="orders",
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def cancel(request: HttpRequest, order_id: int) -> HttpResponse:
    """Cancel an open order, for a reason."""
    order = _order(order_id)

    def act(form: Form) -> str:
        order_cancel_by_hand(order=order, origin=origin_of(request, form.cleaned_data["note"]))
        return "The order is cancelled." if order.has_ended else "The broker is asked to cancel the order."

    return _dialog(request, order, f"Cancel {_named(order)}", act, "Cancel the order")


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def note(request: HttpRequest, order_id: int) -> HttpResponse:
    """Take note of an order that was rejected or overfilled."""
    order = _order(order_id)

    def act(form: Form) -> str:
        order_note(order=order, origin=origin_of(request, form.cleaned_data["note"]))
        return "Taken note of; it asks for no more attention."

    return _dialog(request, order, f"Take note of {_named(order)}", act, "Take note")


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def trade_back(request: HttpRequest, order_id: int) -> HttpResponse:
    """Trade the excess of an overfilled order back, its effect shown before."""
    order = _order(order_id)
    cell, side, excess = get_cell(order.cell_id), OPPOSITE[Order.Side(order.side)], order.excess_quantity

    def act(form: Form) -> str:
        back = overfill_trade_back(order=order, origin=origin_of(request, form.cleaned_data["note"]))
        return f"An order to {back.side.lower()} {back.quantity.normalize():f} {back.cell} is on its way."

    def effect(form: Form) -> tuple[Effect, ...]:
        return effect_of_order(cell, OrderTerms(side=side, quantity=excess)) if excess else ()

    said = f"{_overfilled(order)} This places an order at the market to {side.lower()} {excess.normalize():f}."
    return dialog(
        request, cell, ReasonForm(request.POST or None), f"Trade back the excess of {_named(order)}", act, effect,
        note=said, confirm=f"{side.label} {excess.normalize():f}", tab="orders",
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def keep(request: HttpRequest, order_id: int) -> HttpResponse:
    """Keep the excess of an overfilled order and set the anchor to its mean price."""
    order = _order(order_id)
    cell, price = get_cell(order.cell_id), numbers.price(order.mean_price or 0)

    def act(form: Form) -> str:
        overfill_keep(order=order, origin=origin_of(request, form.cleaned_data["note"]))
        return f"The excess is kept; the anchor is {price.normalize():f}."

    said = f"{_overfilled(order)} The cell keeps what it has, and decides from its mean price {price.normalize():f} on."
    return dialog(
        request, cell, ReasonForm(request.POST or None), f"Keep the excess of {_named(order)}", act,
        lambda form: effect_of_anchor(cell, price) if price else (), note=said, confirm="Set the anchor",
        tab="orders",
    )  # fmt: skip


def _overfilled(order: Order) -> str:
    return f"{order.filled_quantity.normalize():f} were filled of {order.quantity.normalize():f} ordered."


def _order(order_id: int) -> Order:
    rows = Order.objects.select_related("account", "cell__instrument")
    return get_object_or_404(rows, pk=order_id)


def _named(order: Order) -> str:
    return f"the order to {order.side.lower()} {order.quantity.normalize():f} {order.cell}"


def _dialog(request: HttpRequest, order: Order, title: str, act: Callable[[Any], str], confirm: str) -> HttpResponse:
    cell = get_cell(order.cell_id)
    said = f"It is {order.get_status_display().lower()}. {order.status_detail}".strip()
    return dialog(request, cell, ReasonForm(request.POST or None), title, act, note=said, confirm=confirm, tab="orders")
