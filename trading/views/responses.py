"""Answers in other forms than a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails


def is_part(request: HttpRequest) -> bool:
    """Return whether a script asks for a part of a page, so that no whole page is wanted."""
    return bool(request.htmx)  # type: ignore[attr-defined]  # set by its middleware


def part_target(request: HttpRequest) -> str | None:
    """Return the id of the element that a part is for, or None where a whole page is wanted."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by its middleware
    return htmx.target if htmx else None


def json_response(value: Any) -> HttpResponse:
    """Return JSON of plain values and dataclasses, decimals as exact texts; never cached."""
    response = HttpResponse(orjson.dumps(value, default=str), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """Return a CSV download. Texts that a spreadsheet would run as a formula are quoted.

    It is written whole, not streamed: the tenant's scope closes with the view.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_plain(value) for value in row] for row in rows)
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def done(request: HttpRequest, url: str) -> HttpResponse:
    """Return to `url` after a change, from a dialog as from a page."""
    if is_part(request):
        return HttpResponseClientRedirect(url)
    return redirect(url)


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return f"'{value}"
    return "" if value is None else value
