"""Every measure of a run (strategy 11), each defined once for `simulate` and `sweep`."""

import math
from dataclasses import dataclass

from volbal.strategy import workspace as ws
from volbal.strategy.compile import compiled
from volbal.strategy.market import Market
from volbal.strategy.numeric import FloatArray, cents
from volbal.strategy.workspace import Workspace

DAYS_A_YEAR = 252.0
LARGEST_LOG = 650.0  # of a year's growth: e to this over the least drawdown is still a float64


@dataclass(frozen=True, slots=True)
class MeasureSpecification:
    """Describe one measure: its name, its label, its unit and its definition in words."""

    name: str
    label: str
    unit: str
    definition: str


MEASURES: tuple[MeasureSpecification, ...] = tuple(
    MeasureSpecification(*row)
    for row in (
        ("final_value", "Final value", "currency", "Value at the last bar: stock, cash and dividends due."),
        ("total_return", "Total return", "fraction", "Final value over the starting value, less one."),
        ("annual_return", "Annual return", "fraction", "Total return compounded to 252 trading days."),
        ("volatility", "Volatility", "fraction", "Deviation of daily returns, times the root of 252."),
        (
            "sharpe", "Sharpe ratio", "ratio",
            "Mean over deviation of daily returns above the risk-free rate, times the root of 252.",
        ),
        (
            "sortino", "Sortino ratio", "ratio",
            "Yearly mean of daily returns above the risk-free rate over the deviation of those below it.",
        ),
        (
            "max_drawdown", "Maximum drawdown", "fraction",
            "Deepest fall of the value from its highest before, over every bar.",
        ),
        ("calmar", "Calmar ratio", "ratio", "Annual return over the size of the maximum drawdown."),
        ("trades", "Trades", "count", "Orders filled."),
        ("turnover", "Turnover", "ratio", "Money traded over the mean value of every bar."),
        ("commission", "Commission", "currency", "Commission paid in all."),
        ("dividends_net", "Dividends, net", "currency", "Dividends after tax, as booked on their ex-dates."),
        (
            "win_rate", "Win rate", "fraction",
            "Share of sells that brought more than their average cost, commission paid.",
        ),
        (
            "profit_factor", "Profit factor", "ratio",
            "What the winning sells gained over what the losing ones lost.",
        ),
        (
            "time_in_guardrails", "Time in guardrails", "fraction",
            "Share of bars with the stock share within its guardrails.",
        ),
        (
            "stock_return", "Return of the stock", "fraction",
            "Return of the starting value held in stock from the first close, net dividends kept as cash.",
        ),
        (
            "mix_return", "Return of the mix", "fraction",
            "Return of the starting holding left alone, in the same way.",
        ),
        ("alpha", "Return over the stock", "fraction", "Total return less the return of the stock."),
        (
            "excess_over_mix", "Return over the mix", "fraction",
            "Total return less the return of the untouched mix.",
        ),
    )
)  # fmt: skip
MEASURE_NAMES = tuple(measure.name for measure in MEASURES)
MEASURE_COUNT = len(MEASURES)
(
    FINAL_VALUE, TOTAL_RETURN, ANNUAL_RETURN, VOLATILITY, SHARPE, SORTINO, MAX_DRAWDOWN, CALMAR, TRADES,
    TURNOVER, COMMISSION, DIVIDENDS_NET, WIN_RATE, PROFIT_FACTOR, TIME_IN_GUARDRAILS, STOCK_RETURN,
    MIX_RETURN, ALPHA, EXCESS_OVER_MIX,
) = range(19)  # fmt: skip


@compiled
def ratio(numerator: float, denominator: float) -> float:
    """Return a quotient, NaN where the denominator is 0: an undefined measure is null, never infinity."""
    return numerator / denominator if denominator != 0.0 else math.nan


@compiled
def measure_run(work: Workspace, market: Market, risk_free_rate: float, out: FloatArray) -> None:
    """Write every measure of a finished run into `out`, in the order of `MEASURES`; NaN where undefined."""
    tally = work.tally
    start, final, bars = tally[ws.START_VALUE], tally[ws.FINAL_VALUE], tally[ws.BARS]
    out[FINAL_VALUE] = final
    out[TOTAL_RETURN] = ratio(final - start, start)
    measure_returns(work.day_values, work.day_returns, start, risk_free_rate, out)
    out[MAX_DRAWDOWN] = tally[ws.DRAWDOWN] if tally[ws.PEAK] > 0.0 else math.nan
    out[CALMAR] = ratio(out[ANNUAL_RETURN], abs(out[MAX_DRAWDOWN]))
    out[TRADES] = tally[ws.TRADES]
    out[TURNOVER] = ratio(tally[ws.NOTIONAL], tally[ws.VALUE_SUM] / bars)
    out[COMMISSION] = cents(tally[ws.COMMISSION])
    out[DIVIDENDS_NET] = cents(tally[ws.DIVIDENDS])
    out[WIN_RATE] = ratio(tally[ws.WINS], tally[ws.SELLS])
    out[PROFIT_FACTOR] = ratio(tally[ws.GAINS], tally[ws.LOSSES])
    out[TIME_IN_GUARDRAILS] = tally[ws.INSIDE] / bars
    last = market.close[market.close.shape[0] - 1]
    stock = tally[ws.STOCK_SHARES] * last + tally[ws.STOCK_CASH]
    mix = tally[ws.MIX_SHARES] * last + tally[ws.MIX_CASH]
    out[STOCK_RETURN] = ratio(stock - start, start)
    out[MIX_RETURN] = ratio(mix - start, start)
    out[ALPHA] = out[TOTAL_RETURN] - out[STOCK_RETURN]
    out[EXCESS_OVER_MIX] = out[TOTAL_RETURN] - out[MIX_RETURN]


@compiled
def measure_returns(
    day_values: FloatArray, returns: FloatArray, start: float, risk_free_rate: float, out: FloatArray
) -> None:
    """Write what daily returns give: annual return, volatility, Sharpe and Sortino."""
    count = day_values.shape[0] - 1
    out[ANNUAL_RETURN] = out[VOLATILITY] = out[SHARPE] = out[SORTINO] = math.nan
    if count < 1 or start <= 0.0:
        return
    growth = day_values[count] / start
    if growth == 0.0 or (growth > 0.0 and math.log(growth) * DAYS_A_YEAR / count < LARGEST_LOG):
        out[ANNUAL_RETURN] = growth ** (DAYS_A_YEAR / count) - 1.0
    if not all_positive(day_values, count):
        return
    free = risk_free_rate / DAYS_A_YEAR
    fill_returns(day_values, returns, count)
    mean = mean_return(returns, count)
    squares, losses = squared_returns(returns, count, mean, free)
    if count > 1:
        deviation = math.sqrt(squares / (count - 1)) if varies(returns, count) else 0.0
        out[VOLATILITY] = deviation * math.sqrt(DAYS_A_YEAR)
        out[SHARPE] = ratio((mean - free) * math.sqrt(DAYS_A_YEAR), deviation)
    downside = math.sqrt(losses / count)
    out[SORTINO] = ratio((mean - free) * DAYS_A_YEAR, downside * math.sqrt(DAYS_A_YEAR))


@compiled
def all_positive(day_values: FloatArray, count: int) -> bool:
    """Tell whether the first `count` day values are above 0, so that each has a return after it."""
    positive = True
    for day in range(count):
        positive = positive and day_values[day] > 0.0
    return positive


@compiled
def fill_returns(day_values: FloatArray, returns: FloatArray, count: int) -> None:
    """Write the daily simple returns."""
    for day in range(count):
        returns[day] = day_values[day + 1] / day_values[day] - 1.0


@compiled
def mean_return(returns: FloatArray, count: int) -> float:
    """Return the mean of the daily returns, added in four lanes that do not wait for each other."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = count - count % 4
    for day in range(0, whole, 4):
        first += returns[day]
        second += returns[day + 1]
        third += returns[day + 2]
        fourth += returns[day + 3]
    for day in range(whole, count):
        first += returns[day]
    return ((first + second) + (third + fourth)) / count


@compiled
def squared_returns(returns: FloatArray, count: int, mean: float, free: float) -> tuple[float, float]:
    """Return the sum of squares from the mean, and of those of returns below `free`."""
    squares, losses = 0.0, 0.0
    for day in range(count):
        from_mean = returns[day] - mean
        below = min(returns[day] - free, 0.0)
        squares += from_mean * from_mean
        losses += below * below
    return squares, losses


@compiled
def varies(returns: FloatArray, count: int) -> bool:
    """Tell whether any return differs from the first: without variation a ratio would be binary noise."""
    found = False
    for day in range(1, count):
        found = found or returns[day] != returns[0]
    return found
