"""Named sets of parameters to start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """Parameters that differ from the defaults of strategy 2, with what they are good for."""

    name: str
    label: str
    description: str
    values: Mapping[str, float | int | bool | str]


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("standard", "Standard", "Acts on moves of 3 %, keeps stock between 25 % and 75 %.", {}),
        Preset(
            "patient",
            "Patient",
            "Waits for moves of 6 %: fewer and larger orders.",
            {"trigger_up": 0.06, "trigger_down": 0.06},
        ),
        Preset(
            "lively",
            "Lively",
            "Acts on moves of 1.5 %: many small orders, for shares that swing.",
            {"trigger_up": 0.015, "trigger_down": 0.015, "max_orders_per_day": 10},
        ),
        Preset(
            "narrow",
            "Narrow guardrails",
            "Keeps stock between 40 % and 60 % of the value.",
            {"min_stock": 0.40, "max_stock": 0.60},
        ),
    )
}
