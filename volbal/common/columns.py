"""Columns of the console's lists: numbers as figures, texts with room to be read."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.html import format_html

from volbal.common.templatetags.figures import words

# `figure_` in a column's name is what static/css/console.css aligns by.
PREFIX = "figure_"
DECIMALS = 2
MOST_DECIMALS = 10
# Texts that may hold a code, which a list shows in words.
CODED = frozenset({"cause", "code", "reason", "reject_code", "refusal"})
CODE = re.compile(r"[a-z]+(_[a-z]+)*")


class Column(Protocol):
    """A column of a list, as the admin calls it."""

    __name__: str

    def __call__(self, row: models.Model) -> str | None: ...


def figure_text(value: Decimal | float | int | None) -> str | None:
    """Return a number with thousands and two decimals or as many as it has; None stays None."""
    if value is None:
        return None
    if isinstance(value, int):
        return f"{value:,}"
    whole, _, fraction = f"{Decimal(str(round(value, MOST_DECIMALS))):,f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(DECIMALS, '0')}"


def listed(model: type[models.Model], name: Any) -> Any:
    """Return what stands in a list for a column: numbers as figures, texts in lines, all else as it was."""
    if not isinstance(name, str):
        return name
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    if _is_figure(field):
        return _column(field)
    return _text_column(field) if _is_text(field) else name


def _is_text(field: Any) -> bool:
    """Return whether a field holds words of its own, not one of a few choices."""
    return isinstance(field, models.CharField | models.TextField) and not field.choices


def _is_figure(field: Any) -> bool:
    """Return whether a field holds an amount or a count; an id, a version or a place in a row is none."""
    if isinstance(field, models.DecimalField | models.FloatField):
        return True
    counts = isinstance(field, models.IntegerField) and not isinstance(field, models.AutoField | models.BigAutoField)
    return counts and not field.name.endswith(("_id", "number", "version", "sequence"))


@lru_cache
def _column(field: models.Field[Any, Any]) -> Column:
    """Return one function for each field, the same each time: the admin finds a sorted column by it."""

    @admin.display(description=str(field.verbose_name).capitalize(), ordering=field.name)
    def column(row: models.Model) -> str | None:
        return figure_text(getattr(row, field.name))

    column.__name__ = f"{PREFIX}{field.name}"
    return column


@lru_cache
def _text_column(field: models.Field[Any, Any]) -> Column:
    """Return one function for each text: as wide as it needs up to some lines' width (static/css/console.css)."""
    name = str(field.verbose_name)

    @admin.display(description=name[:1].upper() + name[1:], ordering=field.name)
    def column(row: models.Model) -> str | None:
        value = getattr(row, field.name)
        if field.name in CODED and value and CODE.fullmatch(value):
            value = words(value)
        return format_html('<span class="console-text">{}</span>', value) if value else None

    column.__name__ = field.name
    return column
