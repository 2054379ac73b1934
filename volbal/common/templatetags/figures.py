"""Figures on a page: signs, units and tabular digits always shown."""

from django import template

register = template.Library()
