"""How a backtest is run (strategy 10 and 12), checked once for `simulate` and `sweep`."""

from dataclasses import dataclass, field
from typing import Literal

from volbal.strategy.bars import Bars, Day
from volbal.strategy.cell import checked_number
from volbal.strategy.corporate_actions import Dividend, Split
from volbal.strategy.errors import CellError
from volbal.strategy.workspace import Options

Fill = Literal["close", "next_open"]
Execution = Literal["watch", "resting"]
Path = Literal["ohlc", "olhc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Hold every option of a backtest, as `simulate` and `sweep` take them by keyword.

    `cash` is currency; `stock_fraction` of it is bought at the first close, unless `shares` are given (with
    their `anchor`, None for unset). `slippage_bps` is in hundredths of a percent and does not touch resting
    orders, `risk_free_rate` a yearly fraction. `start` and `end` are exchange-local dates, both
    included. Raises `CellError` naming the option, its value and what was expected.
    """

    dividends: tuple[Dividend, ...] = ()
    splits: tuple[Split, ...] = ()
    cash: float = 100_000.0
    stock_fraction: float = 0.5
    shares: float | None = None
    anchor: float | None = None
    fill: Fill = "close"
    execution: Execution = "watch"
    path: Path = "ohlc"
    slippage_bps: float = 0.0
    start: Day | None = None
    end: Day | None = None
    risk_free_rate: float = 0.0
    reinvest: bool = False
    _words: dict[str, tuple[str, ...]] = field(
        init=False,
        repr=False,
        default_factory=lambda: {
            "fill": ("close", "next_open"),
            "execution": ("watch", "resting"),
            "path": ("ohlc", "olhc"),
        },
    )

    def __post_init__(self) -> None:
        """Check every option by itself and with the others."""
        object.__setattr__(self, "dividends", tuple(self.dividends))
        object.__setattr__(self, "splits", tuple(self.splits))
        for name, words in self._words.items():
            if getattr(self, name) not in words:
                raise CellError(name, getattr(self, name), "one of " + ", ".join(words))
        self._validate_start()
        checked_number("slippage_bps", self.slippage_bps, least=0.0)
        checked_number("risk_free_rate", self.risk_free_rate)
        if self.slippage_bps >= 10_000.0:
            raise CellError("slippage_bps", self.slippage_bps, "below 10000, which is the whole price")
        if self.execution == "resting" and self.fill != "close":
            raise CellError("fill", self.fill, "close with execution resting, which fills within the bar")

    def _validate_start(self) -> None:
        checked_number("cash", self.cash, least=0.0)
        checked_number("stock_fraction", self.stock_fraction, least=0.0)
        if self.stock_fraction > 1.0:
            raise CellError("stock_fraction", self.stock_fraction, "at most 1")
        if self.shares is not None:
            checked_number("shares", self.shares, least=0.0)
        if self.anchor is not None:
            checked_number("anchor", self.anchor, above=0.0)
            if self.shares is None:
                raise CellError("anchor", self.anchor, "none, or shares given with it")

    def compiled(self) -> Options:
        """Return the options as compiled code reads them."""
        return Options(
            float(self.cash),
            float(self.stock_fraction),
            -1.0 if self.shares is None else float(self.shares),
            0.0 if self.anchor is None else float(self.anchor),
            self.fill == "next_open",
            self.execution == "resting",
            self.path == "olhc",
            float(self.slippage_bps),
            float(self.risk_free_rate),
            bool(self.reinvest),
        )

    def select(self, bars: Bars, *, after_hours: bool) -> Bars:
        """Return the bars that a run with these options sees."""
        return bars.select(self.start, self.end, after_hours=after_hours)

    def refuse_slices(self, slices_orders: bool) -> None:
        """Refuse slices with orders that rest: those are filled where they lie, and nothing of them is worked."""
        if slices_orders and self.execution == "resting":
            raise CellError("slice_notional", "given", "none with execution resting, whose orders fill where they lie")
