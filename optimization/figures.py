"""Measures and parameters as people read them: with sign, unit and as many digits as matter."""

from __future__ import annotations

from volbal.strategy import MEASURES, MeasureSpecification

MEASURE_BY_NAME = {measure.name: measure for measure in MEASURES}
# Fractions that are shares of something, not changes: a sign before them would mislead.
UNSIGNED = frozenset({"volatility", "win_rate", "time_in_guardrails"})
UNDEFINED = "—"


def measure_text(measure: MeasureSpecification, value: float | None) -> str:
    """Return a measure's value with its unit; a dash where it is undefined."""
    if value is None:
        return UNDEFINED
    if measure.unit == "fraction":
        text = f"{100 * value:,.2f} %" if measure.name in UNSIGNED else f"{100 * value:+,.2f} %"
        return text.replace("-", "−")
    if measure.unit == "count":
        return f"{value:,.0f}"
    return f"{value:,.2f}".replace("-", "−")
