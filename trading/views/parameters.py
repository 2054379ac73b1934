"""A cell's parameters: changed with a preview, rolled back; every change is a new version."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from portfolios.selectors import rule_parameters
from portfolios.services.parameters import parameters_change, parameters_roll_back
from portfolios.services.presets import PRESETS
from trading.selectors.effects import Effect, effect_of_parameters
from trading.views.access import get_cell, origin_of, writer_page
from trading.views.actions import dialog
from trading.views.forms import ParametersForm
from trading.views.responses import done
from volbal.common.errors import VolbalError


@require_http_methods(["GET", "HEAD", "POST"])
@writer_page
def change(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Change a cell's parameters, seeing first how its next buy and sell would move."""
    cell = get_cell(cell_id)
    if cell.parameters is None:
        raise Http404("The cell has no parameters yet.")
    preset = PRESETS.get(request.GET.get("preset", ""))
    values: dict[str, Any] = {} if preset is None else dict(preset.values)
    rule = rule_parameters(cell)
    form = ParametersForm(request.POST or None, version=cell.parameters, rule=rule, preset=values)

    def act(sent: ParametersForm) -> str:
        note = sent.cleaned_data["note"]
        version = parameters_change(cell=cell, values=sent.values(), origin=origin_of(request, note), note=note)
        return f"Version {version.number} of the parameters of {cell} is in force."

    def effect(sent: ParametersForm) -> tuple[Effect, ...]:
        return effect_of_parameters(cell, rule.replace(**sent.values()))

    return dialog(
        request,
        cell,
        form,
        f"Parameters of {cell}",
        act,
        effect,
        presets=PRESETS.values(),
        preset=preset,
        grid=True,
        confirm="Save as a new version",
    )


@require_POST
@writer_page
def roll_back(request: HttpRequest, cell_id: int, number: int) -> HttpResponse:
    """Put an earlier version in force again, as a new one equal to it."""
    cell = get_cell(cell_id)
    try:
        version = parameters_roll_back(cell=cell, number=number, origin=origin_of(request))
        messages.success(request, f"Version {version.number}, equal to version {number}, is in force.")
    except VolbalError as error:
        messages.error(request, str(error))
    return done(request, f"{reverse('cell', args=[cell.pk])}?tab=parameters")
