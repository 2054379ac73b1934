"""The volatility-balancing rule: pure, compiled, and the same live, in backtests and in sweeps.

Imports only the standard library, NumPy and Numba. The law is in `docs/strategy.md`.
"""

from volbal.strategy.cautions import Caution
from volbal.strategy.cell import CellState, cell_row
from volbal.strategy.codes import ACTIONS, GATE_REASONS, REASONS, Action, Reason
from volbal.strategy.decision import Decision, DecisionColumns, decide, decide_many, gate_decision
from volbal.strategy.errors import BarsError, CellError, GridError, ParameterError, StrategyError
from volbal.strategy.fills import (
    Booking,
    OrderFilled,
    Position,
    affordable_quantity,
    book_fill,
    buy_limit,
    end_order,
)  # fmt: skip
from volbal.strategy.numeric import cents, micro, round_down
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.specifications import PARAMETER_SPECIFICATIONS, SIZINGS, ParameterSpecification
from volbal.strategy.triggers import NextTrigger, NextTriggers, next_triggers

__all__ = [
    "ACTIONS", "GATE_REASONS", "PARAMETER_SPECIFICATIONS", "REASONS", "SIZINGS",
    "Action", "BarsError", "Booking", "Caution", "CellError", "CellState", "Decision", "DecisionColumns", "GridError",
    "NextTrigger", "NextTriggers", "OrderFilled", "ParameterError", "ParameterSpecification", "Position", "Reason",
    "StrategyError", "StrategyParameters",
    "affordable_quantity", "book_fill", "buy_limit", "cell_row", "cents", "decide", "decide_many", "end_order",
    "gate_decision", "micro", "next_triggers", "parameter_row", "round_down",
]  # fmt: skip
