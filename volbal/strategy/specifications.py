"""What each parameter is, and what it may be (strategy 2): one table for forms, constraints and checks."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

from volbal.strategy.errors import ParameterError

Value = float | int | bool | str | None
Kind = Literal["number", "integer", "boolean", "choice"]

SIZINGS = ("proportional", "fixed_percentage", "original")
DEFAULT_RATIOS = {"proportional": 1.6667, "fixed_percentage": 0.1, "original": 0.05}


@dataclass(frozen=True, slots=True)
class ParameterSpecification:
    """Describe one parameter.

    `minimum` and `maximum` are None where unbounded; `above_minimum` and `below_maximum` say that the
    bound itself is excluded. `optional` allows None (switched off). Every fraction is a positive magnitude.
    """

    name: str
    symbol: str
    default: Value
    kind: Kind
    unit: str
    description: str
    minimum: float | None = None
    maximum: float | None = None
    above_minimum: bool = False
    below_maximum: bool = False
    choices: tuple[str, ...] = ()
    optional: bool = False

    @property
    def bound(self) -> str:
        """Say in words what the value may be."""
        if self.kind == "boolean":
            return "true or false"
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        noun = "a whole number" if self.kind == "integer" else "a number"
        parts = [*self._minimum_words(), *self._maximum_words()]
        words = f"{noun} {' and '.join(parts)}" if parts else noun
        return f"{words}, or none" if self.optional else words

    def _minimum_words(self) -> list[str]:
        if self.minimum is None:
            return []
        return [f"above {self.minimum:g}" if self.above_minimum else f"at least {self.minimum:g}"]

    def _maximum_words(self) -> list[str]:
        if self.maximum is None:
            return []
        return [f"below {self.maximum:g}" if self.below_maximum else f"at most {self.maximum:g}"]

    def validate(self, value: object) -> Value:
        """Return the value in its own type, or raise `ParameterError` naming parameter, value and bound."""
        if value is None and self.optional:
            return None
        if self.kind == "boolean":
            return self._boolean(value)
        if self.kind == "choice":
            return self._choice(value)
        number = self._number(value)
        return int(number) if self.kind == "integer" else number

    def _boolean(self, value: object) -> bool:
        if type(value).__name__ not in ("bool", "bool_"):
            raise self.refuse(value)
        return bool(value)

    def _choice(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise self.refuse(value)
        return value

    def _number(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise self.refuse(value)
        number = float(value)
        whole = self.kind != "integer" or isinstance(value, Integral) or number.is_integer()
        if not math.isfinite(number) or not whole or not self._within(number):
            raise self.refuse(value)
        return number

    def _within(self, number: float) -> bool:
        low = self.minimum is None or number > self.minimum or (number == self.minimum and not self.above_minimum)
        high = self.maximum is None or number < self.maximum or (number == self.maximum and not self.below_maximum)
        return low and high

    def refuse(self, value: object, bound: str | None = None) -> ParameterError:
        """Return the error that refuses this value."""
        return ParameterError(self.name, value, self.bound if bound is None else bound)


def _open_fraction(
    name: str, symbol: str, default: Value, text: str, *, optional: bool = False
) -> ParameterSpecification:
    return ParameterSpecification(
        name, symbol, default, "number", "fraction", text, 0.0, 1.0, True, True, optional=optional
    )


PARAMETER_SPECIFICATIONS: tuple[ParameterSpecification, ...] = (
    _open_fraction("trigger_up", "τ↑", 0.03, "Sell when the price stands this far above the anchor."),
    _open_fraction("trigger_down", "τ↓", 0.03, "Buy when the price stands this far below the anchor."),
    ParameterSpecification(
        "rebalance_ratio", "r", None, "number", "ratio",
        "Size of an order in proportion to the move; its default follows the sizing.",
        0.0, above_minimum=True, optional=True,
    ),
    ParameterSpecification(
        "sizing", "", "proportional", "choice", "", "How the raw quantity of an order is found.",
        choices=SIZINGS,
    ),
    ParameterSpecification(
        "min_stock", "g↓", 0.25, "number", "fraction", "Least share of the value held in stock.",
        0.0, 1.0, below_maximum=True,
    ),
    ParameterSpecification(
        "max_stock", "g↑", 0.75, "number", "fraction", "Greatest share of the value held in stock.",
        0.0, 1.0, above_minimum=True,
    ),
    ParameterSpecification(
        "guardrail_tolerance", "ε", 0.01, "number", "fraction",
        "How far the stock share may stray beyond a guardrail before it is brought back.", 0.0,
    ),
    ParameterSpecification(
        "auto_rebalance", "", True, "boolean", "",
        "Bring the stock share back to a guardrail it has strayed beyond.",
    ),
    ParameterSpecification(
        "min_notional", "", 100.0, "number", "currency", "Smallest order, as money.", 0.0
    ),
    ParameterSpecification("min_quantity", "", 0.0, "number", "shares", "Smallest order, as shares.", 0.0),
    ParameterSpecification(
        "quantity_step", "", 0.000001, "number", "shares",
        "Orders are whole multiples of this; 1 is whole shares.", 0.000001,
    ),
    ParameterSpecification(
        "max_trade_fraction", "m", 0.25, "number", "fraction", "Share of the value that one order may move.",
        0.0, 1.0, above_minimum=True,
    ),
    ParameterSpecification(
        "max_orders_per_day", "", 5, "integer", "orders", "Orders allowed in one trading day.", 1.0
    ),
    ParameterSpecification(
        "commission_rate", "c", 0.0001, "number", "fraction", "Commission as a share of the notional.",
        0.0, 0.1, below_maximum=True,
    ),
    ParameterSpecification(
        "commission_min", "", 0.0, "number", "currency", "Least commission of an order.", 0.0
    ),
    ParameterSpecification(
        "withholding_rate", "w", 0.25, "number", "fraction", "Tax withheld from a dividend.",
        0.0, 1.0, below_maximum=True,
    ),
    ParameterSpecification(
        "allow_after_hours", "", False, "boolean", "", "Trade outside the exchange's session too."
    ),
    ParameterSpecification(
        "adaptive_multiple", "a", 0.0, "number", "ratio",
        "Both triggers become this multiple of the daily volatility; 0 leaves them fixed.", 0.0,
    ),
    _open_fraction("adaptive_floor", "", 0.01, "Least adaptive trigger."),
    _open_fraction("adaptive_cap", "", 0.10, "Greatest adaptive trigger."),
    _open_fraction("adaptive_decay", "", 0.94, "Weight of the past in the daily variance."),
    _open_fraction(
        "stop_loss", "", None, "Sell everything this far below the average cost and halt; none is off.", optional=True
    ),
    ParameterSpecification(
        "slice_notional", "", None, "number", "currency",
        "Work orders above this in equal parts; none is off.", 0.0, above_minimum=True, optional=True,
    ),
    ParameterSpecification(
        "slice_interval_seconds", "", 60, "integer", "seconds", "Time between two parts of an order.", 1.0
    ),
)  # fmt: skip

SPECIFICATION_BY_NAME = {specification.name: specification for specification in PARAMETER_SPECIFICATIONS}
