"""The volatility-balancing rule: pure, compiled, and the same live, in backtests and in sweeps.

Imports only the standard library, NumPy and Numba. The law is in `docs/strategy.md`.
"""

from volbal.strategy.adaptive import adapt
from volbal.strategy.bars import Bars
from volbal.strategy.cautions import Caution
from volbal.strategy.cell import CellState, cell_row
from volbal.strategy.codes import ACTIONS, GATE_REASONS, REASONS, WITHHELD_REASONS, Action, Reason
from volbal.strategy.corporate_actions import (
    Dividend,
    Entitlement,
    Split,
    anchor_after_dividend,
    apply_ex_date,
    apply_pay_date,
    apply_reinvestment,
    apply_split,
    dividend_entitlement,
    split_learned_late,
)
from volbal.strategy.decision import (
    Decision,
    DecisionColumns,
    decide,
    decide_many,
    decide_slice,
    gate_decision,
    withheld_decision,
)
from volbal.strategy.errors import BarsError, CellError, GridError, ParameterError, StrategyError
from volbal.strategy.fills import (
    Booking,
    OrderFilled,
    Position,
    affordable_quantity,
    book_fill,
    buy_limit,
    end_order,
    opening_holding,
)
from volbal.strategy.grid import Combinations, Grid, ParameterList, expand_grid
from volbal.strategy.indices import CELL_COUNT, PARAMETER_COLUMNS, PARAMETER_COUNT
from volbal.strategy.measures import MEASURES, MeasureSpecification
from volbal.strategy.numeric import cents, micro, round_down
from volbal.strategy.options import RunOptions
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.rests import (
    Rest,
    RestColumns,
    rest_decision,
    resting_levels,
    resting_triggers,
    rests_many,
)
from volbal.strategy.simulation import BarColumns, Result, Trade, simulate
from volbal.strategy.slices import SliceSchedule, schedule_of
from volbal.strategy.specifications import PARAMETER_SPECIFICATIONS, SIZINGS, ParameterSpecification
from volbal.strategy.sweep import SweepCancelled, SweepResult, sweep
from volbal.strategy.triggers import NextTrigger, NextTriggers, next_triggers

__all__ = [
    "ACTIONS",
    "CELL_COUNT",
    "GATE_REASONS",
    "MEASURES",
    "PARAMETER_COLUMNS",
    "PARAMETER_COUNT",
    "PARAMETER_SPECIFICATIONS",
    "REASONS",
    "SIZINGS",
    "WITHHELD_REASONS",
    "Action",
    "BarColumns",
    "Bars",
    "BarsError",
    "Booking",
    "Caution",
    "CellError",
    "CellState",
    "Combinations",
    "Decision",
    "DecisionColumns",
    "Dividend",
    "Entitlement",
    "Grid",
    "GridError",
    "MeasureSpecification",
    "NextTrigger",
    "NextTriggers",
    "OrderFilled",
    "ParameterError",
    "ParameterList",
    "ParameterSpecification",
    "Position",
    "Reason",
    "Rest",
    "RestColumns",
    "Result",
    "RunOptions",
    "SliceSchedule",
    "Split",
    "StrategyError",
    "StrategyParameters",
    "SweepCancelled",
    "SweepResult",
    "Trade",
    "adapt",
    "affordable_quantity",
    "anchor_after_dividend",
    "apply_ex_date",
    "apply_pay_date",
    "apply_reinvestment",
    "apply_split",
    "book_fill",
    "buy_limit",
    "cell_row",
    "cents",
    "decide",
    "decide_many",
    "decide_slice",
    "dividend_entitlement",
    "end_order",
    "expand_grid",
    "gate_decision",
    "micro",
    "next_triggers",
    "opening_holding",
    "parameter_row",
    "rest_decision",
    "resting_levels",
    "resting_triggers",
    "rests_many",
    "round_down",
    "schedule_of",
    "simulate",
    "split_learned_late",
    "sweep",
    "withheld_decision",
]
