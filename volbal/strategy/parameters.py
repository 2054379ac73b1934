"""The parameters of a cell (strategy 2): frozen, checked on construction."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from volbal.strategy import indices as at
from volbal.strategy.cautions import Caution, cautions
from volbal.strategy.errors import ParameterError
from volbal.strategy.numeric import FloatArray
from volbal.strategy.specifications import DEFAULT_RATIOS, SIZINGS, SPECIFICATION_BY_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyParameters:
    """Hold every parameter of the rule (strategy 2).

    Fractions are fractions (`0.03`, never `3`) and positive magnitudes. `rebalance_ratio` None takes the
    default of its sizing. Raises `ParameterError` naming the parameter, the value and the bound it breaks.
    """

    trigger_up: float = 0.03
    trigger_down: float = 0.03
    rebalance_ratio: float = None  # type: ignore[assignment]  # None only asks for the sizing's default
    sizing: str = "proportional"
    min_stock: float = 0.25
    max_stock: float = 0.75
    guardrail_tolerance: float = 0.01
    auto_rebalance: bool = True
    min_notional: float = 100.0
    min_quantity: float = 0.0
    quantity_step: float = 0.000001
    max_trade_fraction: float = 0.25
    max_orders_per_day: int = 5
    commission_rate: float = 0.0001
    commission_min: float = 0.0
    withholding_rate: float = 0.25
    allow_after_hours: bool = False
    adaptive_multiple: float = 0.0
    adaptive_floor: float = 0.01
    adaptive_cap: float = 0.10
    adaptive_decay: float = 0.94
    stop_loss: float | None = None
    slice_notional: float | None = None
    slice_interval_seconds: int = 60

    def __post_init__(self) -> None:
        """Check every bound and take the default ratio of the sizing."""
        for name, specification in SPECIFICATION_BY_NAME.items():
            object.__setattr__(self, name, specification.validate(getattr(self, name)))
        if self.rebalance_ratio is None:
            object.__setattr__(self, "rebalance_ratio", DEFAULT_RATIOS[self.sizing])
        self._validate_together()

    def _validate_together(self) -> None:
        if self.sizing == "fixed_percentage" and self.rebalance_ratio > 1:
            raise ParameterError("rebalance_ratio", self.rebalance_ratio, "at most 1 with sizing fixed_percentage")
        if self.min_stock >= self.max_stock:
            raise ParameterError("min_stock", self.min_stock, f"below max_stock, which is {self.max_stock!r}")
        if self.adaptive_floor > self.adaptive_cap:
            raise ParameterError(
                "adaptive_floor", self.adaptive_floor, f"at most adaptive_cap, which is {self.adaptive_cap!r}"
            )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with changes; a ratio that is its sizing's default follows the sizing."""
        values = self.to_dict()
        if "sizing" in changes and self.rebalance_ratio == DEFAULT_RATIOS[self.sizing]:
            values["rebalance_ratio"] = None
        return self.from_dict({**values, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Return every parameter by name, as plain numbers, flags and texts."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from names and values; missing ones take their defaults, unknown ones are refused."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(str(name) for name in values if name not in known)
        if unknown:
            raise ParameterError(", ".join(unknown), [values.get(name) for name in unknown], "a known parameter")
        return cls(**values)

    def warnings(
        self, slippage_bps: float = 0.0, value: float | None = None, bar_seconds: int | None = None
    ) -> tuple[Caution, ...]:
        """Say what is legal but unwise (strategy 2).

        `slippage_bps` is the expected slippage in hundredths of a percent; `value` the cell's total value
        in currency, without which the size of an order cannot be judged; `bar_seconds` what lies between the bars of
        a backtest, which slices need.
        """
        return cautions(self, slippage_bps, value, bar_seconds)


def parameter_row(parameters: StrategyParameters) -> FloatArray:
    """Return the parameters as the row of numbers that compiled code reads, by `indices`; what is off is 0."""
    row = np.zeros(at.PARAMETER_COUNT)
    for name, column in at.COLUMN_BY_NAME.items():
        value = getattr(parameters, name)
        row[column] = SIZINGS.index(value) if column == at.SIZING else 0.0 if value is None else float(value)
    return row


def is_adaptive(row: FloatArray) -> bool:
    """Tell whether a row's triggers follow volatility (strategy 13)."""
    return bool(row[at.ADAPTIVE_MULTIPLE] > 0.0)
