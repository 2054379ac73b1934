"""What people do to a cell. Each dialog shows the effect before; without script it is a page of its own."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from portfolios.models import Cell
from portfolios.services.anchors import cell_set_anchor
from portfolios.services.cell_limits import cell_set_max_spread
from portfolios.services.cells import cell_pause, cell_start
from portfolios.services.executions import cell_set_execution
from portfolios.services.money import cell_deposit, cell_withdraw
from portfolios.services.transfers import cash_transfer
from trading.selectors.cells import present_moment, present_price
from trading.selectors.effects import Effect, effect_of_anchor, effect_of_cash
from trading.selectors.plans import plan_view
from trading.selectors.quotes import quote_statistics
from trading.services.order_plans import plan_cancel
from trading.views.access import context_of, get_cell, origin_of, writer_page
from trading.views.forms import ACCOUNT, AnchorForm, CashForm, ExecutionForm, ReasonForm, SpreadForm
from trading.views.responses import done, is_part
from volbal.common.errors import Refused, VolbalError

Effects = tuple[Effect, ...]


@require_POST
@writer_page
def start(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Let a cell trade."""
    cell = get_cell(cell_id)
    return _at_once(request, cell, lambda: cell_start(cell=cell, origin=origin_of(request)), f"{cell} trades.")


@require_POST
@writer_page
def pause(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Keep a cell from trading until it is started again."""
    cell = get_cell(cell_id)
    return _at_once(
        request,
        cell,
        lambda: cell_pause(cell=cell, origin=origin_of(request)),
        f"{cell} is paused: it keeps what it holds.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def deposit(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Add cash to a cell."""
    return _cash(request, get_cell(cell_id), into=True)


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def withdraw(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Take cash out of a cell."""
    return _cash(request, get_cell(cell_id), into=False)


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def anchor(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Set a cell's anchor by hand."""
    cell = get_cell(cell_id)

    def act(form: Form) -> str:
        price = form.cleaned_data["anchor"]
        origin = origin_of(request, form.cleaned_data["note"])
        cell_set_anchor(cell=cell, anchor=price, as_of=present_moment(cell), origin=origin)
        return f"The anchor of {cell} is {price:,f}."

    form = AnchorForm(request.POST or None, initial={"anchor": _typed(present_price(cell) or cell.anchor)})
    title = f"Set the anchor of {cell}"
    return dialog(request, cell, form, title, act, lambda one: effect_of_anchor(cell, one.cleaned_data["anchor"]))


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def spread(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Let a cell trade up to some spread only."""
    cell = get_cell(cell_id)

    def act(form: Form) -> str:
        limit, origin = form.cleaned_data["max_spread_bps"], origin_of(request, form.cleaned_data["note"])
        cell_set_max_spread(cell=cell, max_spread_bps=limit, origin=origin)
        return f"{cell} trades at any spread." if limit is None else f"{cell} trades up to a spread of {limit:f} bps."

    form = SpreadForm(request.POST or None, initial={"max_spread_bps": _typed(cell.max_spread_bps)})
    return dialog(request, cell, form, f"Limit the spread of {cell}", act, note=_spread_note(cell))


def _spread_note(cell: Cell) -> str:
    statistic = next(iter(quote_statistics(cell)), None)
    if statistic is None or statistic.spread_bps_mean is None:
        return "No bid and ask have come from its source: with a limit it would not trade at all."
    return (
        f"On {statistic.day} its spread was {statistic.spread_bps_mean:.1f} bps in the mean and "
        f"{statistic.spread_bps_max:.1f} at most."
    )


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def execution(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Let a cell watch its price, or rest orders at its triggers."""
    cell = get_cell(cell_id)

    def act(form: Form) -> str:
        chosen, origin = form.cleaned_data["execution"], origin_of(request, form.cleaned_data["note"])
        cell_set_execution(cell=cell, execution=chosen, origin=origin)
        if chosen == Cell.Execution.RESTING:
            return f"Orders of {cell} rest at its triggers from its next look on."
        return f"{cell} watches its price; what rests at its broker is cancelled."

    note = (
        "Resting: a sell and a buy lie at the broker at the two triggers, each sized by the rule at its own price, and "
        "the guardrails are asked about once near the close. Watching: the rule is asked at each price."
    )
    form = ExecutionForm(request.POST or None, initial={"execution": cell.execution})
    return dialog(request, cell, form, f"How {cell} trades", act, note=note, confirm="Let it trade so")


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def end_slices(request: HttpRequest, cell_id: int) -> HttpResponse:
    """End the order that a cell works in slices, for a reason."""
    cell = get_cell(cell_id)
    plan = plan_view(cell)

    def act(form: Form) -> str:
        if plan is None:
            raise Refused(f"{cell} works no order in slices any more; nothing was changed.", code="plan_ended")
        plan_cancel(plan=plan, as_of=present_moment(cell), origin=origin_of(request, form.cleaned_data["note"]))
        return f"No more slices of {cell} go out."

    note = "Slices that are out stay as they are; no more follow, and the rule is asked again."
    title = f"End the sliced order of {cell}"
    return dialog(request, cell, ReasonForm(request.POST or None), title, act, note=note, confirm="End it")


def dialog(
    request: HttpRequest,
    cell: Cell,
    form: Form,
    title: str,
    act: Callable[[Any], str],
    effect: Callable[[Any], Effects] | None = None,
    *,
    tab: str = "",
    **context: Any,
) -> HttpResponse:
    """Show a form about a cell (see `show_dialog`), and return to the cell, or a tab of it, once it is done."""
    back, belongs = reverse("cell", args=[cell.pk]) + (f"?tab={tab}" if tab else ""), cell.portfolio.name
    return show_dialog(request, form, title, act, back=back, effect=effect, belongs=belongs, **context)


def show_dialog(
    request: HttpRequest,
    form: Form,
    title: str,
    act: Callable[[Any], str],
    *,
    back: str,
    effect: Callable[[Any], Effects] | None = None,
    **context: Any,
) -> HttpResponse:
    """Show a form with its effect; act on it once it is sent for good, and go back.

    What was typed is kept when it is refused (422). With `preview` in the address nothing is ever written.
    """
    preview = "preview" in request.GET
    status = 200
    if preview and "note" in form.fields:
        form.fields["note"].required = False  # an effect does not wait for the reason
    if request.method == "POST" and not preview and form.is_valid():
        try:
            messages.success(request, act(form))
            return done(request, back)
        except VolbalError as error:
            form.add_error(None, str(error))
    if request.method == "POST" and not preview:
        status = 422
    effects = effect(form) if effect is not None and form.is_bound and form.is_valid() else ()
    template = "trading/parts/effect.html" if preview else _dialog_template(request)
    values = {"form": form, "title": title, "effects": effects, "previews": effect is not None, "back": back, **context}
    values |= {"problems": _problems(form)}
    return render(request, template, context_of(request, **values), status=status)


def _problems(form: Form) -> list[str]:
    """Return what is wrong with what was typed, naming the field; what is still to be typed is no problem yet."""
    return [
        message if name == NON_FIELD_ERRORS else f"{form[name].label}: {message}"
        for name, errors in form.errors.as_data().items()
        for error in errors
        for message in error.messages
        if error.code != "required"
    ]


def _typed(value: Decimal | None) -> str:
    """Return a number as a person would type it."""
    return "" if value is None else f"{value.normalize():f}"


def _dialog_template(request: HttpRequest) -> str:
    return "trading/parts/dialog.html" if is_part(request) else "trading/action.html"


def _cash(request: HttpRequest, cell: Cell, *, into: bool) -> HttpResponse:
    sign = Decimal(1) if into else Decimal(-1)

    def act(form: Form) -> str:
        _move_cash(request, cell, form, into=into)
        verb = "Deposited" if into else "Withdrew"
        return f"{verb} {form.cleaned_data['amount']:,.2f}; {cell} holds {cell.cash:,.2f} in cash."

    form = CashForm(request.POST or None, cell=cell, into=into)
    title = f"Deposit into {cell}" if into else f"Withdraw from {cell}"
    return dialog(request, cell, form, title, act, lambda one: effect_of_cash(cell, sign * one.cleaned_data["amount"]))


def _move_cash(request: HttpRequest, cell: Cell, form: Form, *, into: bool) -> None:
    amount, origin = form.cleaned_data["amount"], origin_of(request, form.cleaned_data["note"])
    as_of, account = present_moment(cell), cell.portfolio.account
    if form.cleaned_data["other_side"] == ACCOUNT:
        source, destination = (account, cell) if into else (cell, account)
        cash_transfer(source=source, destination=destination, amount=amount, as_of=as_of, origin=origin)
    elif into:
        cell_deposit(cell=cell, cash=amount, as_of=as_of, origin=origin)
    else:
        cell_withdraw(cell=cell, cash=amount, as_of=as_of, origin=origin)


def _at_once(request: HttpRequest, cell: Cell, act: Callable[[], Any], told: str) -> HttpResponse:
    try:
        act()
        messages.success(request, told)
    except VolbalError as error:
        messages.error(request, str(error))
    return done(request, reverse("cell", args=[cell.pk]))
