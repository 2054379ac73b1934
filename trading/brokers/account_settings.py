"""Reading a broker's part of `BrokerAccount.settings` into a frozen dataclass: unknown names and bounds are refused."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from volbal.common.errors import Refused

Settings = TypeVar("Settings")


def setting(default: Any, least: float | None = None, most: float | None = None, *, words: str) -> Any:
    """Return a dataclass field with its bounds, both included, and a line for the people who set it."""
    return dataclasses.field(default=default, metadata={"least": least, "most": most, "words": words})


def settings_read(kind: type[Settings], kept: object, *, section: str) -> Settings:
    """Return `kept`, what an account keeps under `section`, as a `kind`; what is left out has its default.

    Raises Refused naming the setting, its value and what was expected.
    """
    if not isinstance(kept, Mapping):
        raise _refused(section, kept, "settings by name")
    known = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # always a dataclass
    unknown = sorted(str(name) for name in kept if name not in known)
    if unknown:
        raise _refused(f"{section}.{unknown[0]}", kept[unknown[0]], f"one of {', '.join(sorted(known))}")
    return kind(**{name: _value(f"{section}.{name}", value, known[name]) for name, value in kept.items()})


def _value(name: str, value: object, field: dataclasses.Field[Any]) -> Any:
    default: Any = field.default
    if isinstance(default, bool):
        return _exactly(name, value, bool, "true or false")
    if isinstance(default, int):
        return _bounded(name, _exactly(name, value, int, "a whole number"), field)
    if isinstance(default, float):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _refused(name, value, "a number")
        return _bounded(name, float(value), field)
    if isinstance(default, str):
        return _exactly(name, value, str, "a text")
    return _choices(name, value, default)


def _exactly(name: str, value: object, kind: type, words: str) -> Any:
    if type(value) is not kind:
        raise _refused(name, value, words)
    return value


def _bounded(name: str, value: float, field: dataclasses.Field[Any]) -> float:
    least, most = field.metadata["least"], field.metadata["most"]
    if not math.isfinite(value) or not least <= value <= most:
        raise _refused(name, value, f"{least} to {most}")
    return value


def _choices(name: str, value: object, default: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not set(value) <= set(default):
        raise _refused(name, value, f"some of {', '.join(default)}")
    return tuple(one for one in default if one in value)


def _refused(name: str, value: object, expected: str) -> Refused:
    return Refused(f"{name} is {value!r}; expected {expected}.", code="broker_settings")
