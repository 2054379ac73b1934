"""Combinations of parameters: a grid, or a list (strategy 2)."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from volbal.strategy import indices as at
from volbal.strategy.errors import GridError
from volbal.strategy.numeric import AnyArray, FloatArray, IntArray
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.specifications import DEFAULT_RATIOS, SIZINGS, SPECIFICATION_BY_NAME, Value

LIMIT = 1_000_000
RANGE_KEYS = frozenset({"from", "to", "step"})
# Parameters whose bounds depend on one another: their extremes are checked together.
RELATED = ("sizing", "rebalance_ratio", "min_stock", "max_stock", "adaptive_floor", "adaptive_cap")


@dataclass(frozen=True, slots=True)
class Grid:
    """Hold every combination of the axes' values, the last axis changing fastest; the rest is `base`."""

    axes: Mapping[str, tuple[Value, ...]]
    base: StrategyParameters

    def __len__(self) -> int:
        """Return the number of combinations."""
        return math.prod(len(values) for values in self.axes.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the parameters that vary."""
        return tuple(self.axes)

    def positions(self, start: int, stop: int) -> tuple[IntArray, ...]:
        """Return each axis' position for a run of combinations."""
        shape = tuple(len(values) for values in self.axes.values())
        return np.unravel_index(np.arange(start, stop), shape)

    def rows(self, start: int, stop: int) -> FloatArray:
        """Return a run of combinations as the rows that compiled code reads."""
        rows = np.tile(parameter_row(self.base), (stop - start, 1))
        for (name, values), position in zip(self.axes.items(), self.positions(start, stop), strict=True):
            rows[:, at.COLUMN_BY_NAME[name]] = _numbers(name, values)[position]
            if name == "sizing" and self._ratio_follows():
                rows[:, at.REBALANCE_RATIO] = np.array([DEFAULT_RATIOS[str(value)] for value in values])[position]
        return rows

    def _ratio_follows(self) -> bool:
        is_default = self.base.rebalance_ratio == DEFAULT_RATIOS[self.base.sizing]
        return "rebalance_ratio" not in self.axes and is_default

    def column(self, name: str) -> AnyArray:
        """Return one axis' value for every combination; NaN where it is off."""
        values = _column(self.axes[name])
        return values[self.positions(0, len(self))[self.names.index(name)]]

    @property
    def slices_orders(self) -> bool:
        """Tell whether any combination works orders in slices (strategy 14)."""
        return any(value is not None for value in self.axes.get("slice_notional", (self.base.slice_notional,)))

    def parameters(self, index: int) -> StrategyParameters:
        """Return one combination."""
        positions = self.positions(index, index + 1)
        chosen = {
            name: values[int(position[0])]
            for (name, values), position in zip(self.axes.items(), positions, strict=True)
        }
        return self.base.replace(**chosen)


@dataclass(frozen=True, slots=True)
class ParameterList:
    """Hold combinations given one by one."""

    items: tuple[StrategyParameters, ...]

    def __len__(self) -> int:
        """Return the number of combinations."""
        return len(self.items)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the parameters that are not the same in all."""
        first = self.items[0]
        return tuple(
            name
            for name in at.PARAMETER_COLUMNS
            if any(getattr(item, name) != getattr(first, name) for item in self.items)
        )

    def rows(self, start: int, stop: int) -> FloatArray:
        """Return a run of combinations as the rows that compiled code reads."""
        return np.stack([parameter_row(item) for item in self.items[start:stop]])

    def column(self, name: str) -> AnyArray:
        """Return one parameter of every combination; NaN where it is off."""
        return _column([getattr(item, name) for item in self.items])

    @property
    def slices_orders(self) -> bool:
        """Tell whether any combination works orders in slices (strategy 14)."""
        return any(item.slice_notional is not None for item in self.items)

    def parameters(self, index: int) -> StrategyParameters:
        """Return one combination."""
        return self.items[index]


Combinations = Grid | ParameterList


def expand_grid(grid: Mapping[str, Any], base: StrategyParameters | None = None, *, limit: int = LIMIT) -> Grid:
    """Return the grid of all combinations of the values given for each parameter.

    Each parameter has a list of values, or `{"from": a, "to": b, "step": s}`: both ends kept, stepped in
    decimals.
    Raises `GridError` for unknown names, no values, a step that is not above 0, ends the wrong way round and
    more than `limit` combinations (counted before anything is expanded), and `ParameterError` for a
    combination out of bounds.
    """
    start = StrategyParameters() if base is None else base
    _validate_names(grid)
    count = math.prod(_count(name, axis) for name, axis in grid.items())
    if not 0 < count <= limit:
        raise GridError(f"the grid has {count:,} combinations; expected at least 1 and at most {limit:,}")
    axes = {
        name: tuple(SPECIFICATION_BY_NAME[name].validate(value) for value in _values(axis))
        for name, axis in grid.items()
    }
    if None in axes.get("rebalance_ratio", ()):
        raise GridError("the grid gives rebalance_ratio none; expected numbers, or the name left out for its default")
    _validate_extremes(axes, start)
    return Grid(axes, start)


def _validate_names(grid: Mapping[str, Any]) -> None:
    unknown = [str(name) for name in grid if name not in at.COLUMN_BY_NAME]
    if unknown:
        known = ", ".join(at.PARAMETER_COLUMNS)
        raise GridError(f"the grid names {', '.join(unknown)}; expected parameters a backtest simulates: {known}")
    if not grid:
        raise GridError("the grid names no parameter; expected at least one with at least one value")


def _count(name: str, axis: object) -> int:
    if isinstance(axis, Mapping):
        return len(_Range.read(name, axis))
    if not isinstance(axis, Sequence) or isinstance(axis, str):
        raise GridError(f"the grid gives {name} {axis!r}; expected a list of values or from, to and step")
    return len(axis)


def _values(axis: Any) -> Sequence[Any]:
    return _Range.read("", axis).values() if isinstance(axis, Mapping) else axis


@dataclass(frozen=True, slots=True)
class _Range:
    """Hold a stepped range of decimals."""

    start: Decimal
    stop: Decimal
    step: Decimal

    @classmethod
    def read(cls, name: str, axis: Mapping[str, Any]) -> "_Range":
        if set(axis) != RANGE_KEYS:
            raise GridError(f"the range of {name} has {', '.join(map(str, axis))}; expected from, to and step")
        start, stop, step = (_decimal(name, key, axis[key]) for key in ("from", "to", "step"))
        if step <= 0:
            raise GridError(f"the step of {name} is {step}; expected a number above 0")
        if stop < start:
            raise GridError(f"the range of {name} goes from {start} to {stop}; expected from at most to")
        return cls(start, stop, step)

    def __len__(self) -> int:
        whole, rest = divmod(self.stop - self.start, self.step)
        return int(whole) + (2 if rest else 1)

    def values(self) -> list[float]:
        steps = [float(self.start + self.step * number) for number in range(len(self) - 1)]
        return [*steps, float(self.stop)]


def _decimal(name: str, key: str, value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise GridError(f"the range of {name} has {key} {value!r}; expected a finite number")
    return number


def _validate_extremes(axes: Mapping[str, tuple[Value, ...]], base: StrategyParameters) -> None:
    """Build the parameters at every corner of the axes that bound one another: the rest lies between."""
    corners = {name: _extremes(values) for name, values in axes.items() if name in RELATED}
    for combination in itertools.product(*corners.values()):
        base.replace(**dict(zip(corners, combination, strict=True)))


def _extremes(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return (min(values), max(values)) if not isinstance(values[0], str) else tuple(dict.fromkeys(values))


def _numbers(name: str, values: tuple[Value, ...]) -> FloatArray:
    if name == "sizing":
        return np.array([float(SIZINGS.index(str(value))) for value in values])
    return np.array([0.0 if value is None else value for value in values], dtype=np.float64)


def _column(values: Sequence[Value]) -> AnyArray:
    return np.array([np.nan if value is None else value for value in values])
