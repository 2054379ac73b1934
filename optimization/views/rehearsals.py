"""Rehearsing a limit over a backtest, before it is set on anything that trades."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from optimization.models import Backtest
from optimization.selectors.rehearsals import KINDS, backtest_rehearsal
from optimization.views.backtests import get_backtest
from portfolios.standings import place_of
from trading.models import TradingLimit
from trading.views.access import context_of, member_page
from trading.views.forms import RehearsalForm


class BacktestRehearsalForm(RehearsalForm):
    """A proposed limit of a kind that a backtest can tell about."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]  # a form's own
        kinds = [(kind.value, kind.label) for kind in KINDS]
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]  # a ChoiceField, as its base declares
        # What a run that only reduces would have done cannot be told from its series.
        actions = [(one.value, one.label) for one in (TradingLimit.Action.ALERT, TradingLimit.Action.HALTED)]
        self.fields["action"].choices = actions  # type: ignore[attr-defined]  # a ChoiceField, as its base declares


@require_safe
@member_page
def rehearsal(request: HttpRequest, backtest_id: int) -> HttpResponse:
    """Show what a limit would have done in a completed backtest."""
    row = get_backtest(backtest_id)
    if row.state != Backtest.State.COMPLETED:
        raise Http404("This backtest has no results yet.")
    asked = BacktestRehearsalForm(request.GET if "threshold" in request.GET else None)
    found = proposed = None
    if asked.is_bound and asked.is_valid():
        proposed = asked.limit(place_of(row.tenant))
        found = backtest_rehearsal(row, proposed, asked.cleaned_data["resume_after_days"])
    context = context_of(request, row=row, asked=asked, found=found, proposed=proposed)
    return render(request, "optimization/rehearsal.html", context)
