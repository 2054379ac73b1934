"""One decision with the numbers it was made from (strategy 6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from volbal.strategy import indices as at
from volbal.strategy.cell import CellState, cell_row, checked_number
from volbal.strategy.codes import ACTIONS, ASK_SIGNAL, GATE_REASONS, REASONS, WITHHELD_REASONS, Action, Reason
from volbal.strategy.compile import compiled
from volbal.strategy.errors import CellError
from volbal.strategy.fills import book_row, commission_of
from volbal.strategy.numeric import FloatArray, IntArray, cents
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.rule import Outcome, buy_threshold, decide_row, sell_threshold, total_value
from volbal.strategy.sentences import sentence, withheld_sentence
from volbal.strategy.slices import ask_about_slice


@dataclass(frozen=True, slots=True)
class Decision:
    """Hold what was decided, why, and from which numbers (strategy 6).

    Quantities are signed, + buys. `value` is currency, shares of stock and `distance` from the anchor are
    fractions; what does not exist (no anchor, no value) is None. `sentence` says it in plain English.
    """

    action: Action
    reason: Reason
    signal: int
    raw_quantity: float
    quantity: float
    price: float
    anchor: float | None
    value: float
    stock_share: float | None
    stock_share_after: float | None
    distance: float | None
    buy_threshold: float | None
    sell_threshold: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class DecisionColumns:
    """Hold decisions, one element a cell; actions and reasons are positions in ACTIONS and REASONS."""

    prices: FloatArray
    cells: FloatArray
    parameters: FloatArray
    actions: IntArray
    reasons: IntArray
    signals: IntArray
    raw_quantities: FloatArray
    quantities: FloatArray

    def decision(self, index: int) -> Decision:
        """Return one cell's decision with its numbers and sentence."""
        outcome = (
            int(self.actions[index]), int(self.reasons[index]), int(self.signals[index]),
            float(self.raw_quantities[index]), float(self.quantities[index]),
        )  # fmt: skip
        return describe_row(float(self.prices[index]), self.cells[index], self.parameters[index], outcome)


@compiled
def _decide_rows(
    prices: FloatArray,
    cells: FloatArray,
    parameters: FloatArray,
    codes: IntArray,
    quantities: FloatArray,
) -> None:
    for index in range(prices.shape[0]):
        action, reason, signal, raw, quantity = decide_row(prices[index], cells[index], parameters[index], ASK_SIGNAL)
        codes[0, index] = action
        codes[1, index] = reason
        codes[2, index] = signal
        quantities[0, index] = raw
        quantities[1, index] = quantity


def decide(
    price: float,
    cell: CellState | FloatArray,
    parameters: StrategyParameters | FloatArray,
    *,
    signal: int | None = None,
) -> Decision:
    """Decide for one cell at one price (strategy 3 to 6).

    `price` is finite and above 0. `signal` (-1, 0 or +1) replaces the one price and anchor give, as resting
    execution asks. Cell and parameters may be given as their rows. Raises `CellError`.
    """
    checked_number("price", price, above=0.0)
    if signal is not None and signal not in (-1, 0, 1):
        raise CellError("signal", signal, "-1, 0, 1 or None")
    cell_numbers, numbers = _cell_numbers(cell), _parameter_numbers(parameters)
    outcome = decide_row(float(price), cell_numbers, numbers, ASK_SIGNAL if signal is None else int(signal))
    return describe_row(float(price), cell_numbers, numbers, outcome)


def decide_slice(
    price: float,
    cell: CellState | FloatArray,
    parameters: StrategyParameters | FloatArray,
    *,
    side: str,
    filled: float,
    most: float,
) -> Decision:
    """Ask the rule whether the next slice of an order may go out, and how much of it (strategy 14).

    `side` is the order's, `filled` what of it is filled so far and `most` what the slice would be, in shares. The rule
    is asked with the state of the moment, the order's own count, minimums and fills left out. An answer of another
    side than the order's says no. Cell and parameters may be given as their rows. Raises `CellError`.
    """
    checked_number("price", price, above=0.0)
    checked_number("filled", filled, least=0.0)
    cell_numbers, numbers = _cell_numbers(cell), _parameter_numbers(parameters)
    asked_cell, asked = np.empty_like(cell_numbers), np.empty_like(numbers)
    ask_about_slice(cell_numbers, numbers, filled if side == Action.BUY else -filled, asked_cell, asked)
    action, reason, signal, raw, quantity = decide_row(float(price), asked_cell, asked, ASK_SIGNAL)
    cut = min(abs(quantity), most)
    return describe_row(float(price), asked_cell, asked, (action, reason, signal, raw, cut if quantity > 0.0 else -cut))


def decide_many(
    prices: FloatArray | Sequence[float],
    cells: FloatArray | Sequence[CellState],
    parameters: FloatArray | Sequence[StrategyParameters],
) -> DecisionColumns:
    """Decide for many cells at once with the same compiled rule (strategy 3 to 6).

    `prices` has shape (cells,), `cells` (cells, CELL_COUNT) and `parameters` (cells, PARAMETER_COUNT), or
    sequences of `CellState` and `StrategyParameters`. Raises `CellError` on a price that is not above 0
    and on lengths that differ.
    """
    price_array = np.ascontiguousarray(prices, dtype=np.float64)
    cell_rows = _rows(cells if isinstance(cells, np.ndarray) else [_cell_numbers(one) for one in cells])
    rows = _rows(parameters if isinstance(parameters, np.ndarray) else [_parameter_numbers(one) for one in parameters])
    bad = np.flatnonzero(~(np.isfinite(price_array) & (price_array > 0.0)))
    if bad.size:
        raise CellError(f"price of cell {bad[0]}", float(price_array[bad[0]]), "a finite number above 0")
    if not len(price_array) == len(cell_rows) == len(rows):
        raise CellError(
            "lengths", (len(price_array), len(cell_rows), len(rows)), "as many prices as cells and parameters"
        )
    codes = np.zeros((3, len(price_array)), dtype=np.int64)
    quantities = np.zeros((2, len(price_array)))
    if len(price_array):
        _decide_rows(price_array, cell_rows, rows, codes, quantities)
    return DecisionColumns(price_array, cell_rows, rows, codes[0], codes[1], codes[2], quantities[0], quantities[1])


def _rows(rows: FloatArray | list[FloatArray]) -> FloatArray:
    return np.ascontiguousarray(rows, dtype=np.float64)


def _cell_numbers(cell: CellState | FloatArray) -> FloatArray:
    return cell_row(cell) if isinstance(cell, CellState) else cell


def _parameter_numbers(parameters: StrategyParameters | FloatArray) -> FloatArray:
    return parameter_row(parameters) if isinstance(parameters, StrategyParameters) else parameters


def gate_decision(
    reason: str,
    price: float,
    cell: CellState | FloatArray,
    parameters: StrategyParameters | FloatArray,
    *,
    because: str = "",
) -> Decision:
    """Return the SKIP of a gate that only the caller can know, without asking the rule (strategy 6).

    `reason` is one of `GATE_REASONS`; cell and parameters may be given as their rows; `because` says it with the
    numbers that only the caller knows, as the rest of a sentence. Raises `CellError` on any other reason.
    """
    checked_number("price", price, above=0.0)
    if reason not in GATE_REASONS:
        raise CellError("reason", reason, "one of " + ", ".join(sorted(GATE_REASONS)))
    outcome = ACTIONS.index(Action.SKIP), REASONS.index(Reason(reason)), 0, 0.0, 0.0
    told = describe_row(float(price), _cell_numbers(cell), _parameter_numbers(parameters), outcome)
    return replace(told, sentence=f"Not asked: {because}.") if because else told


def withheld_decision(decision: Decision, reason: Reason) -> Decision:
    """Return the SKIP that stands for an order of the rule which the caller keeps back; its numbers stay.

    `reason` is one of `WITHHELD_REASONS`. Raises `CellError` on any other, and on a decision without an order.
    """
    if reason not in WITHHELD_REASONS or decision.action not in (Action.BUY, Action.SELL):
        raise CellError("reason", reason, "one of " + ", ".join(sorted(WITHHELD_REASONS)) + " for a buy or a sell")
    kept = replace(decision, action=Action.SKIP, reason=reason, stock_share_after=decision.stock_share)
    return replace(kept, sentence=withheld_sentence(kept))


def describe_row(price: float, cell: FloatArray, parameters: FloatArray, outcome: Outcome) -> Decision:
    """Return the rule's answer about a row with its numbers and sentence."""
    action, reason = ACTIONS[outcome[0]], REASONS[outcome[1]]
    anchor = float(cell[at.ANCHOR]) if cell[at.ANCHOR] > 0.0 else None
    value = float(total_value(cell, price))
    quantity = float(outcome[4]) + 0.0
    bound_low = None if anchor is None else float(buy_threshold(anchor, parameters[at.TRIGGER_DOWN]))
    bound_high = None if anchor is None else float(sell_threshold(anchor, parameters[at.TRIGGER_UP]))
    share = float(cell[at.SHARES] * price / value) if value > 0.0 else None
    traded = action in (Action.BUY, Action.SELL)
    after = _stock_share(_after_fill(cell, price, quantity, parameters), price) if traded else share
    told = (
        action, reason, int(outcome[2]), float(outcome[3]) + 0.0, quantity, price, anchor, value, share,
        after, None if anchor is None else price / anchor - 1.0, bound_low, bound_high,
    )  # fmt: skip
    return Decision(*told, sentence(Decision(*told, ""), cell, parameters))


def _stock_share(cell: FloatArray, price: float) -> float | None:
    value = total_value(cell, price)
    return float(cell[at.SHARES] * price / value) if value > 0.0 else None


def _after_fill(cell: FloatArray, price: float, quantity: float, parameters: FloatArray) -> FloatArray:
    after = cell.copy()
    notional = cents(abs(quantity) * price)
    book_row(after, quantity, notional, commission_of(notional, parameters))
    return after
