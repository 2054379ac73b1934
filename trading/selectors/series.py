"""Catalogued bars as pages show them. The whole installation shares them."""

from __future__ import annotations

from django.db.models import OuterRef, QuerySet, Subquery

from trading.models import BarSeries


def newest_series() -> QuerySet[BarSeries]:
    """Return the newest version of each instrument and resolution, by symbol."""
    versions = BarSeries.objects.filter(instrument=OuterRef("instrument"), resolution=OuterRef("resolution"))
    newest = versions.order_by("-version").values("pk")[:1]
    rows = BarSeries.objects.filter(pk=Subquery(newest)).select_related("instrument")
    return rows.order_by("instrument__symbol", "resolution")


def series_versions(series: BarSeries) -> QuerySet[BarSeries]:
    """Return every version of the same bars, newest first."""
    rows = BarSeries.objects.filter(instrument=series.instrument_id, resolution=series.resolution)
    return rows.select_related("instrument").order_by("-version")
