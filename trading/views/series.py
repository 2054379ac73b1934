"""The bars there are: every series with its quality, and one of them whole."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from trading.models import BarSeries
from trading.selectors.series import newest_series, series_versions
from trading.views.access import context_of, member_page


@require_safe
@member_page
def series_list(request: HttpRequest) -> HttpResponse:
    """Show the newest version of each instrument's bars."""
    return render(request, "trading/series_list.html", context_of(request, rows=newest_series()))


@require_safe
@member_page
def series(request: HttpRequest, series_id: int) -> HttpResponse:
    """Show one version of an instrument's bars: where they come from, what is odd about them, what was corrected."""
    row = get_object_or_404(BarSeries.objects.select_related("instrument"), pk=series_id)
    context = context_of(request, row=row, quality=row.quality, versions=series_versions(row))
    return render(request, "trading/series.html", context)
