"""Colours meet WCAG AA on both surfaces, in light and in dark."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

STYLES = Path(__file__).resolve().parent.parent.parent / "static" / "css"
PAIR = re.compile(r"--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)")
TOKENS = {name: (light, dark) for name, light, dark in PAIR.findall((STYLES / "tokens.css").read_text())}
TEXT = ("ink", "muted", "accent", "up", "down", "warn", "halt", "replay", "paper", "live")
MARKS = ("buy", "sell")  # also words, in badges on panels


def luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("name,surface,theme", list(product(TEXT, ("surface", "raised"), (0, 1))))
def test_text_is_readable(name: str, surface: str, theme: int) -> None:
    assert contrast(TOKENS[name][theme], TOKENS[surface][theme]) >= 4.5


@pytest.mark.parametrize("name,theme", list(product(MARKS, (0, 1))))
def test_marks_are_seen_on_pages_and_readable_on_panels(name: str, theme: int) -> None:
    assert contrast(TOKENS[name][theme], TOKENS["surface"][theme]) >= 3.0
    assert contrast(TOKENS[name][theme], TOKENS["raised"][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1])
def test_the_primary_button_is_readable(theme: int) -> None:
    assert contrast(TOKENS["on-accent"][theme], TOKENS["accent"][theme]) >= 4.5


@pytest.mark.parametrize("path", sorted(STYLES.glob("*.css")), ids=lambda path: path.name)
def test_colours_and_sizes_come_from_tokens_alone(path: Path) -> None:
    if path.name == "tokens.css":
        return
    text = path.read_text()
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", text)) <= {"#0f1214"}  # the shade behind a dialog
    assert not re.findall(r"font-size:\s*\d+[a-z]", text)
    assert not re.findall(r"box-shadow", text)
