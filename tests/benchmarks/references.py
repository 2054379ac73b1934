"""The same rule in scalar C and in vectorised NumPy, to measure the sweep against."""

import ctypes
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

COLUMNS = (
    "trigger_up", "trigger_down", "rebalance_ratio", "min_stock", "max_stock", "guardrail_tolerance",
    "min_notional", "quantity_step", "max_trade_fraction", "max_orders_per_day", "commission_rate",
)  # fmt: skip
RESULTS = ("final_value", "trades", "max_drawdown", "sharpe", "time_in_guardrails")
CASH = 100_000.0


def compile_c(folder):
    """Compile the C reference into a folder; None where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = Path(folder) / "reference.so"
    source = Path(__file__).with_name("reference.c")
    flags = ["-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(source), "-lm"], check=True)
    return ctypes.CDLL(str(library)).sweep


def run_c(function, bars, grid, threads):
    """Run the C reference on so many threads and return its results, one row a combination."""
    close = np.ascontiguousarray(bars.close)
    day = np.ascontiguousarray(bars.days, dtype=np.int32)
    results = np.zeros((len(grid), len(RESULTS)))
    edges = np.linspace(0, len(grid), threads + 1).astype(int)

    def part(first, last):
        scratch = np.zeros(len(close))
        function(
            pointer(close), day.ctypes.data_as(ctypes.POINTER(ctypes.c_int)), len(close), pointer(grid),
            int(first), int(last), ctypes.c_double(CASH), pointer(scratch), pointer(results),
        )  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, edges[:-1], edges[1:]))
    return results


def pointer(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def cents(amount):
    return np.floor(amount * 100.0 + 0.5 + 1e-6) / 100.0


def round_down(quantity, step):
    return np.floor(np.floor(quantity / step * (1.0 + 1e-13) + 1e-9) * step * 1e9 + 0.5) / 1e9


def bound(share, price, stock, value, rate):
    gap = share * value - stock
    return gap / (price * np.where(gap >= 0.0, 1.0 + share * rate, 1.0 - share * rate))


def run_numpy(bars, grid):
    """Loop over the bars in Python, all combinations at once, and return final value, trades and drawdown."""
    up, down, ratio, low, high, tolerance, least, step, most, cap, rate = grid.T
    close = bars.close
    shares = round_down(0.5 * CASH / close[0], step)
    cash = cents(CASH - cents(shares * close[0]))
    anchor = np.full(len(grid), close[0])
    trades, orders = np.zeros(len(grid)), np.zeros(len(grid))
    peak, deepest = np.zeros(len(grid)), np.zeros(len(grid))
    for index, price in enumerate(close):
        if index > 0 and bars.days[index] != bars.days[index - 1]:
            orders[:] = 0.0
        stock = shares * price
        value = stock + cash
        sells, buys = price >= anchor * (1.0 + up), price <= anchor * (1.0 - down)
        share = stock / value
        acting = sells | buys | (share > high + tolerance) | (share < low - tolerance)
        if acting.any():
            raw = np.where(sells | buys, (anchor / price - 1.0) * ratio * value / price, 0.0)
            lower, upper = (bound(rail, price, stock, value, rate) for rail in (low, high))
            wanted = np.where(buys, np.minimum(raw, np.maximum(upper, 0.0)), 0.0)
            wanted = np.where(sells, np.maximum(raw, np.minimum(lower, 0.0)), wanted)
            wanted = np.where((share > high + tolerance) & (wanted > upper), upper, wanted)
            wanted = np.where((share < low - tolerance) & (wanted < lower), lower, wanted)
            source = np.where(wanted > 0.0, np.maximum(cash - 0.01, 0.0) / (price * (1.0 + rate)), shares)
            limit = np.minimum(source, most * value / price)
            size = round_down(np.minimum(np.abs(wanted), limit), step)
            filled = (size > 0.0) & (size * price >= least) & (orders < cap)
            signed = np.where(filled, np.copysign(size, wanted), 0.0)
            notional = cents(np.abs(signed) * price)
            cash = cents(cash - np.sign(signed) * notional - cents(notional * rate))
            shares = np.floor((shares + signed) * 1e6 + 0.5) / 1e6
            anchor = np.where(filled, price, anchor)
            trades += filled
            orders += filled
            value = shares * price + cash
        peak = np.maximum(peak, value)
        deepest = np.minimum(deepest, value / peak - 1.0)
    return np.stack([value, trades, deepest], axis=1)
