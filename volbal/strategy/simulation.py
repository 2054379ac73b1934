"""Backtest one cell on bars (strategy 10 to 14)."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from volbal.strategy import codes
from volbal.strategy import workspace as ws
from volbal.strategy.adaptive import daily_volatility, log_returns
from volbal.strategy.bars import Bars
from volbal.strategy.cautions import Caution
from volbal.strategy.codes import REASONS
from volbal.strategy.fills import Position
from volbal.strategy.kernel import run_cell
from volbal.strategy.market import Market, prepare_market
from volbal.strategy.measures import MEASURE_COUNT, MEASURE_NAMES, measure_run
from volbal.strategy.numeric import FloatArray, IntArray
from volbal.strategy.options import RunOptions
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.timeline import lay_out
from volbal.strategy.workspace import Record, Workspace, new_workspace

WHOLE_MEASURES = frozenset({"trades"})


@dataclass(frozen=True, slots=True)
class Trade:
    """Hold one filled order: `at` is the stamp of the bar that fills, `quantity` > 0, money in currency.

    `gain` is what a sell brought over its average cost, commission paid; None for a buy (strategy 11).
    """

    at: str
    bar: int
    side: str
    quantity: float
    price: float
    notional: float
    commission: float
    reason: str
    cash_after: float
    shares_after: float
    gain: float | None


@dataclass(frozen=True, slots=True, eq=False)
class BarColumns:
    """Hold what stood at the close of each bar, one element a bar.

    `anchor` is NaN while unset; `action` and `reason` are positions in `ACTIONS` and `REASONS` of the
    evaluation at that close (always HOLD while orders rest: there the trades tell; HOLD and `halted` on the bars
    after the protective stop).
    """

    value: FloatArray
    cash: FloatArray
    shares: FloatArray
    receivable: FloatArray
    anchor: FloatArray
    action: IntArray
    reason: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Hold a finished backtest: trades, measures (None if undefined), skips by reason, the cell at the end.

    `bars` are the bars it ran on, after start, end and session; `columns` line up with them.
    """

    parameters: StrategyParameters
    options: RunOptions
    bars: Bars
    trades: tuple[Trade, ...]
    measures: dict[str, float | int | None]
    skips: dict[str, int]
    final: Position
    columns: BarColumns

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """Say what is legal but unwise about these parameters on these bars (strategy 2 and 14)."""
        value = float(self.columns.value[0])
        return self.parameters.warnings(self.options.slippage_bps, value, self.bars.spacing_seconds)

    @property
    def first(self) -> str:
        """Return the stamp of the first bar."""
        return self.bars.label(0)

    @property
    def last(self) -> str:
        """Return the stamp of the last bar."""
        return self.bars.label(len(self.bars) - 1)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON takes: extent, measures, trades, skips by reason and the cell at the end."""
        names = ("cash", "shares", "anchor", "receivable")
        return {
            "bars": len(self.bars),
            "first": self.first,
            "last": self.last,
            "measures": dict(self.measures),
            "trades": [asdict(trade) for trade in self.trades],
            "skips": dict(self.skips),
            "final": {name: getattr(self.final, name) for name in names},
        }


def simulate(bars: Bars, parameters: StrategyParameters, **options: Any) -> Result:
    """Backtest one cell on bars (strategy 10 to 14); the options are those of `RunOptions`, by keyword.

    Raises `StrategyError` on options that cannot be, on a range without bars, and on slices of orders that rest.
    """
    run = RunOptions(**options)
    run.refuse_slices(parameters.slice_notional is not None)
    seen = run.select(bars, after_hours=parameters.allow_after_hours)
    market = prepare_market(seen, lay_out(seen, run.dividends, run.splits), resting=run.execution == "resting")
    sigma = volatility_of_days(seen, market, run, parameters.adaptive_decay)
    work, record = _run(market, run, parameter_row(parameters), sigma)
    return Result(
        parameters,
        run,
        seen,
        _trades(seen, record.trades),
        _measures(work, market, run),
        {str(REASONS[code]): int(count) for code, count in enumerate(work.skips) if count},
        Position.from_row(work.cell),
        _columns(seen, record),
    )


def volatility_of_days(bars: Bars, market: Market, run: RunOptions, decay: float) -> FloatArray:
    """Return the volatility each day of a run starts with (strategy 13)."""
    days = bars.days[market.day_start[:-1]].astype(np.int64)
    return daily_volatility(log_returns(days, market.day_close, run.dividends, run.splits), decay)


def _run(market: Market, run: RunOptions, row: FloatArray, sigma: FloatArray) -> tuple[Workspace, Record]:
    """Run the kernel, once more with more room where the trades did not fit."""
    bars = len(market.close)
    work = new_workspace(len(market.day_close), len(market.timeline.action_bar))
    room = bars
    while True:
        record = Record(
            np.zeros(bars, dtype=np.bool_),
            np.zeros((bars, 4)),
            np.zeros((bars, 2), dtype=np.int64),
            np.zeros((room, ws.TRADE_COUNT)),
        )
        run_cell(market, run.compiled(), row, sigma, work, record)
        count = int(work.tally[ws.TRADES])
        if count <= room:
            return work, record._replace(trades=record.trades[:count])
        room = count


def _measures(work: Workspace, market: Market, run: RunOptions) -> dict[str, float | int | None]:
    out = np.zeros(MEASURE_COUNT)
    measure_run(work, market, float(run.risk_free_rate), out)
    return {name: plain_measure(name, value) for name, value in zip(MEASURE_NAMES, out, strict=True)}


def plain_measure(name: str, value: float) -> float | int | None:
    """Return a measure as people and JSON take it: None where undefined, counts whole."""
    if np.isnan(value):
        return None
    return int(value) if name in WHOLE_MEASURES else float(value)


def _trades(bars: Bars, rows: FloatArray) -> tuple[Trade, ...]:
    return tuple(
        Trade(
            at=bars.label(int(row[ws.AT_BAR])),
            bar=int(row[ws.AT_BAR]),
            side="BUY" if row[ws.QUANTITY] > 0.0 else "SELL",
            quantity=abs(float(row[ws.QUANTITY])),
            price=float(row[ws.PRICE]),
            notional=float(row[ws.TRADE_NOTIONAL]),
            commission=float(row[ws.TRADE_COMMISSION]),
            reason=str(REASONS[int(row[ws.TRADE_REASON])]),
            cash_after=float(row[ws.CASH_AFTER]),
            shares_after=float(row[ws.SHARES_AFTER]),
            gain=None if row[ws.QUANTITY] > 0.0 else float(row[ws.GAIN]),
        )
        for row in rows
    )


def _stopped_at(trades: FloatArray, bars: int) -> int:
    """Return the bar at which the protective stop sold, `bars` where it never did."""
    stops = trades[trades[:, ws.TRADE_REASON] == codes.BY_STOP, ws.AT_BAR]
    return int(stops[0]) if len(stops) else bars


def _columns(bars: Bars, record: Record) -> BarColumns:
    """Spread the touched bars over those passed over, which held as the one before left them."""
    source = np.maximum.accumulate(np.where(record.touched, np.arange(len(bars)), 0))
    states = record.states[source]
    cash, shares = states[:, ws.BAR_CASH], states[:, ws.BAR_SHARES]
    receivable, anchor = states[:, ws.BAR_RECEIVABLE], states[:, ws.BAR_ANCHOR]
    action = np.where(record.touched, record.outcomes[:, 0], codes.HOLD)
    held = np.where(anchor > 0.0, codes.INSIDE_BAND, codes.NO_ANCHOR)
    held = np.where(np.arange(len(bars)) > _stopped_at(record.trades, len(bars)), codes.HALTED, held)
    reason = np.where(record.touched, record.outcomes[:, 1], held)
    value = shares * bars.close + cash + receivable
    return BarColumns(
        value, cash, shares, receivable, np.where(anchor > 0.0, anchor, np.nan), action, reason
    )  # fmt: skip
