"""Values typed on a command line: numbers, days, parameters and grids, as JSON or in files of it."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
from pathlib import Path
from typing import Any, NoReturn

from volbal.common.errors import Refused


class InputRefused(Refused):
    """Something typed that cannot be used; nothing was written."""

    code = "input_refused"


def number(text: str) -> float:
    """Read a finite number; argparse names the option when this raises."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; expected for example 0.5")
    return value


def day(text: str) -> dt.date:
    """Read a date; argparse names the option when this raises."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; expected for example 2014-06-09") from None


def whole(text: str) -> int:
    """Read a whole number of at least 1; argparse names the option when this raises."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def json_object(text: str, option: str) -> dict[str, Any]:
    """Read a JSON object given as such, or the name of a file that holds one. Raises InputRefused."""
    source, content = option, text
    if not text.lstrip().startswith("{"):
        source, content = f"{option} {text}", _file_text(text, option)
    try:
        value = json.loads(content, parse_constant=_no_constant, object_pairs_hook=_each_name_once)
    except json.JSONDecodeError as error:
        raise InputRefused(
            f"{source}, line {error.lineno}, column {error.colno}: {error.msg}; expected JSON, or a file of it."
        ) from None
    except ValueError as error:
        raise InputRefused(f"{source}: {error}.") from None
    if not isinstance(value, dict):
        raise InputRefused(f"{source} holds a JSON {type(value).__name__}; expected an object of names and values.")
    return value


def setting(text: str) -> tuple[str, Any]:
    """Read one `name=value`: a number, true, false, none or a word. Raises InputRefused."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputRefused(f"--set {text}: expected name=value, for example --set trigger_up=0.05.")
    return name.strip(), _word(value.strip())


def _word(text: str) -> Any:
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _file_text(name: str, option: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise InputRefused(
            f"{option} {name}: it cannot be read ({reason}); expected a JSON object or a file of one."
        ) from None


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number; expected finite numbers")


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} stands there twice; expected each name once")
    return dict(pairs)
