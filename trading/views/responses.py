"""Answers in other forms than a page."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from django.http import HttpResponse, StreamingHttpResponse


class _Echo:
    """A file that gives back what is written, so that a CSV streams."""

    def write(self, value: str) -> str:
        """Return the line."""
        return value


def json_response(value: Any) -> HttpResponse:
    """Return JSON of plain values and dataclasses, never cached."""
    response = HttpResponse(orjson.dumps(value), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """Return a CSV download, streamed. Texts that a spreadsheet would run as a formula are quoted."""
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield writer.writerow(header)
        for row in rows:
            yield writer.writerow([_plain(value) for value in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return f"'{value}"
    return "" if value is None else value
