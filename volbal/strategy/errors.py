"""What the core refuses, and how it says so."""


class StrategyError(ValueError):
    """Report an input that the core refuses; the message names it, its value and what was expected."""


class ParameterError(StrategyError):
    """Report a parameter outside its bounds (strategy 2).

    `parameter` is its name, `value` what was given and `bound` what was expected, in words.
    """

    def __init__(self, parameter: str, value: object, bound: str) -> None:
        self.parameter = parameter
        self.value = value
        self.bound = bound
        super().__init__(f"{parameter} is {value!r}; expected {bound}")


class CellError(ParameterError):
    """Report a cell, price or option that cannot be (strategy 1 and 10)."""


class BarsError(StrategyError):
    """Report bars that cannot be used; `row` counts from 0, or is None where it is the whole series."""

    def __init__(self, what: str, value: object, expected: str, row: int | None = None) -> None:
        self.row = row
        self.value = value
        self.expected = expected
        where = "bars" if row is None else f"bars, row {row}"
        super().__init__(f"{where}: {what} is {value!r}; expected {expected}")


class GridError(StrategyError):
    """Report a grid of parameters that cannot be expanded."""
