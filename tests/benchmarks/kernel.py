"""The sweep kernel beside the same rule in C and in NumPy, on the same synthetic bars."""

import tempfile
import time
from functools import partial

import numpy as np

from tests.benchmarks.references import COLUMNS, RESULTS, compile_c, run_c, run_numpy
from volbal.strategy import Bars, StrategyParameters, sweep

GRID = {
    "trigger_up": {"from": 0.01, "to": 0.1, "step": 0.01},
    "trigger_down": {"from": 0.01, "to": 0.1, "step": 0.01},
    "rebalance_ratio": [0.5, 1.0, 1.5, 1.6667, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0],
}
SIZES = (("98,280 minute bars", 252, 390), ("2,520 daily bars", 2520, 1))
RUNS = 5


def synthetic(days, bars_a_day):
    """Make seeded bars of a random walk with a yearly volatility of one fifth."""
    count = days * bars_a_day
    steps = np.random.default_rng(7).normal(0.0, 0.2 / np.sqrt(252 * bars_a_day), count)
    close = np.round(100.0 * np.exp(np.cumsum(steps)), 2)
    opened = np.concatenate(([close[0]], close[:-1]))
    day = np.repeat(np.arange(days), bars_a_day)
    return Bars(
        stamps=day * 86_400_000_000_000 + np.arange(count) * 60_000_000_000, days=day, open=opened,
        high=np.maximum(opened, close), low=np.minimum(opened, close), close=close, resolution="intraday",
    )  # fmt: skip


def best_of(runs, call):
    """Return the shortest time of so many runs in milliseconds, and the last result."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3, result


def numbers(result):
    """Return the combinations as the references read them."""
    base = StrategyParameters().to_dict()
    columns = result.columns()
    rows = [columns[name] if name in GRID else np.full(len(result), base[name]) for name in COLUMNS]
    return np.ascontiguousarray(np.stack(rows, axis=1), dtype=np.float64)


def agrees(result, reference):
    """Tell whether a reference's results, in the order of RESULTS, are those of the sweep within 1e-9."""
    ours = np.stack([result.measure(name) for name in RESULTS[: reference.shape[1]]], axis=1)
    return bool(np.allclose(ours, reference, rtol=1e-9, atol=1e-12))


def rows():
    """Yield one row for each size and reference."""
    with tempfile.TemporaryDirectory() as folder:
        function = compile_c(folder)
        for title, days, bars_a_day in SIZES:
            yield from size_rows(f"sweep, 1,000 combinations × {title}", synthetic(days, bars_a_day), function)


def size_rows(title, bars, function):
    """Yield the rows of one size: C on one thread and on two, then NumPy."""
    result = sweep(bars, GRID, workers=2)  # the first call compiles
    grid = numbers(result)
    for workers, words in ((1, "1 thread"), (2, "2 threads")):
        ours, result = best_of(RUNS, partial(sweep, bars, GRID, workers=workers))
        if function is None:
            yield row(f"{title}, {words}", ours, "scalar C: there is no C compiler here", None, None)
            continue
        theirs, reference = best_of(RUNS, partial(run_c, function, bars, grid, workers))
        same = agrees(result, reference)
        yield row(f"{title}, {words}", ours, f"scalar C, {words}", theirs, same)
    theirs, reference = best_of(1, partial(run_numpy, bars, grid))
    yield row(f"{title}, 2 threads", ours, "NumPy loop over the bars", theirs, agrees(result, reference))


def row(what, figure, reference, reference_figure, same):
    ratio = None if reference_figure is None else figure / reference_figure
    return {
        "what": what, "figure_ms": figure, "reference": reference, "reference_ms": reference_figure,
        "ratio": ratio, "same_results": same,
    }  # fmt: skip
