"""Every component on one page, in development only."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trading.selectors.charts import Band, ChartSpecification, Line, Mark
from trading.views.access import context_of, member_page
from trading.views.responses import json_response

ENVIRONMENTS = ("development", "test")
TOKENS = (
    "surface", "raised", "line", "ink", "muted", "accent", "up", "down", "buy", "sell", "warn", "halt", "replay",
    "paper", "live",
)  # fmt: skip
BADGES = (
    "replay", "paper", "live", "active", "stopped", "paused", "reducing", "halted", "archived", "filled",
    "partially_filled", "rejected", "unknown",
)  # fmt: skip


class ExampleForm(forms.Form):
    """A form with every kind of field."""

    amount = forms.DecimalField(min_value=Decimal(1), help_text="At least 1.00")
    sizing = forms.ChoiceField(choices=[("proportional", "Proportional"), ("original", "Original")])
    auto_rebalance = forms.BooleanField(required=False)


@require_safe
@member_page
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show tokens and components, a refused form and an example chart."""
    if settings.ENVIRONMENT not in ENVIRONMENTS:
        raise Http404("The style guide is for development.")
    if "chart" in request.GET:
        return json_response(_example_chart())
    messages.info(request, "A toast: what happened, dismissed by hand.")
    context = {
        "tokens": TOKENS,
        "badges": BADGES,
        "form": ExampleForm({"amount": "0.5", "sizing": "original"}),
        "now": dt.datetime(2008, 9, 15, 19, 59, 59, tzinfo=dt.UTC),
    }
    return render(request, "trading/styleguide.html", context_of(request, **context))


def _example_chart() -> ChartSpecification:
    start = int(dt.datetime(2008, 9, 1, tzinfo=dt.UTC).timestamp())
    prices = [100 + (index * 7 % 13) * 0.6 - index * 0.05 for index in range(60)]
    anchors = [102.0] * 25 + [99.0] * 35
    return ChartSpecification(
        zone="America/New_York",
        daily=True,
        format="price",
        time=[start + 86400 * index for index in range(60)],
        lines=(
            Line("anchor", "anchor", "accent", anchors, 1, "dashed", True),
            Line("price", "", "ink", prices, 2, labelled=True),
        ),
        bands=(
            Band(
                "triggers",
                "accent",
                [anchor * 1.03 for anchor in anchors],
                [anchor * 0.97 for anchor in anchors],
            ),
        ),
        marks=(
            Mark(1, start + 86400 * 25, "BUY", "41.2 at 98.94"),
            Mark(2, start + 86400 * 40, "SELL", "38.9 at 102.1"),
        ),
        marked="price",
    )
