"""Backtest many combinations of parameters on the same bars, in parallel (strategy 10 to 14)."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from volbal.strategy import indices as at
from volbal.strategy.adaptive import UNKNOWN
from volbal.strategy.bars import Bars
from volbal.strategy.errors import CellError, GridError
from volbal.strategy.grid import Combinations, Grid, ParameterList, expand_grid
from volbal.strategy.kernel import run_many
from volbal.strategy.market import Market, prepare_market
from volbal.strategy.measures import MEASURE_COUNT, MEASURE_NAMES
from volbal.strategy.numeric import AnyArray, FloatArray, IntArray
from volbal.strategy.options import RunOptions
from volbal.strategy.parameters import StrategyParameters
from volbal.strategy.simulation import plain_measure, volatility_of_days
from volbal.strategy.timeline import lay_out
from volbal.strategy.workspace import new_workspace, no_record

LARGEST_CHUNK = 256
CHUNKS_PER_WORKER = 8


class SweepCancelled(Exception):  # noqa: N818  # being cancelled is no error
    """Tell that a sweep was cancelled; `done` of `total` combinations had been run."""

    def __init__(self, done: int, total: int) -> None:
        self.done = done
        self.total = total
        super().__init__(f"cancelled after {done:,} of {total:,} combinations")


@dataclass(frozen=True, slots=True, eq=False)
class SweepResult:
    """Hold the measures of every combination, in grid order; undefined ones are NaN."""

    combinations: Combinations
    options: RunOptions
    values: FloatArray

    def __len__(self) -> int:
        """Return the number of combinations."""
        return len(self.combinations)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Return the names of the parameters that vary."""
        return self.combinations.names

    def measure(self, name: str) -> FloatArray:
        """Return one measure of every combination."""
        return self.values[:, MEASURE_NAMES.index(name)]

    def columns(self) -> dict[str, AnyArray]:
        """Return the varying parameters, then every measure, as columns by name."""
        parameters = {name: self.combinations.column(name) for name in self.parameter_names}
        return {**parameters, **{name: self.measure(name) for name in MEASURE_NAMES}}

    def parameters(self, index: int) -> StrategyParameters:
        """Return one combination's parameters."""
        return self.combinations.parameters(index)

    def measures(self, index: int) -> dict[str, float | int | None]:
        """Return one combination's measures, None where undefined."""
        return {name: plain_measure(name, value) for name, value in zip(MEASURE_NAMES, self.values[index], strict=True)}


class _Field:
    """Prepare the bars once for each trading-hours choice that the combinations make."""

    def __init__(self, bars: Bars, run: RunOptions) -> None:
        self.bars = bars
        self.run = run

    @cached_property
    def session(self) -> tuple[Bars, Market]:
        return self._prepare(after_hours=False)

    @cached_property
    def around_the_clock(self) -> tuple[Bars, Market]:
        return self._prepare(after_hours=True)

    def _prepare(self, *, after_hours: bool) -> tuple[Bars, Market]:
        seen = self.run.select(self.bars, after_hours=after_hours)
        timeline = lay_out(seen, self.run.dividends, self.run.splits)
        return seen, prepare_market(seen, timeline, resting=self.run.execution == "resting")

    def run_rows(self, rows: FloatArray) -> FloatArray:
        """Run combinations and return their measures, one row each."""
        out = np.empty((len(rows), MEASURE_COUNT))
        after_hours = rows[:, at.ALLOW_AFTER_HOURS] != 0.0
        for flag in (False, True):
            chosen = np.flatnonzero(after_hours == flag)
            if chosen.size:
                out[chosen] = self._run_alike(rows[chosen], *(self.around_the_clock if flag else self.session))
        return out

    def _run_alike(self, rows: FloatArray, bars: Bars, market: Market) -> FloatArray:
        sigmas, sigma_of = self._volatilities(rows, bars, market)
        out = np.empty((len(rows), MEASURE_COUNT))
        work = new_workspace(len(market.day_close), len(market.timeline.action_bar))
        run_many(market, self.run.compiled(), rows, sigmas, sigma_of, work, no_record(), out)
        return out

    def _volatilities(self, rows: FloatArray, bars: Bars, market: Market) -> tuple[FloatArray, IntArray]:
        """Return the volatilities by day for each decay in use, and which of them each row takes."""
        sigma_of = np.zeros(len(rows), dtype=np.int64)
        adaptive = rows[:, at.ADAPTIVE_MULTIPLE] > 0.0
        if not adaptive.any():
            return np.full((1, len(market.day_close) + 1), UNKNOWN), sigma_of
        decays, sigma_of = np.unique(rows[:, at.ADAPTIVE_DECAY], return_inverse=True)
        sigmas = [volatility_of_days(bars, market, self.run, float(decay)) for decay in decays]
        return np.stack(sigmas), sigma_of.astype(np.int64)


def sweep(
    bars: Bars,
    combinations: Combinations | Mapping[str, Any] | Sequence[StrategyParameters],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    **options: Any,
) -> SweepResult:
    """Backtest every combination on the same bars, with the code and the results of `simulate`.

    `combinations` is what `expand_grid` takes or returns, or a list of parameters; the options are those of
    `RunOptions`. `workers` threads run outside the interpreter's lock (None: one for each core).
    `progress(done, total)` is called from the calling thread after each chunk; when `cancel()` returns true
    no more chunks are started and `SweepCancelled` is raised. Raises `StrategyError` like `simulate`.
    """
    wanted = _combinations(combinations)
    run = RunOptions(**options)
    run.refuse_slices(wanted.slices_orders)
    field = _Field(bars, run)
    threads = _workers(workers)
    values = np.empty((len(wanted), MEASURE_COUNT))
    done = 0
    for start, stop, rows in _completed(field, wanted, threads, cancel):
        values[start:stop] = rows
        done += stop - start
        if progress is not None:
            progress(done, len(wanted))
    if done < len(wanted):
        raise SweepCancelled(done, len(wanted))
    return SweepResult(wanted, field.run, values)


def _combinations(given: Combinations | Mapping[str, Any] | Sequence[StrategyParameters]) -> Combinations:
    if isinstance(given, Grid | ParameterList):
        found: Combinations = given
    elif isinstance(given, Mapping):
        found = expand_grid(given)
    else:
        found = ParameterList(tuple(given))
    if len(found) == 0:
        raise GridError("there are 0 combinations; expected at least 1")
    return found


def _workers(asked: int | None) -> int:
    if asked is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
        raise CellError("workers", asked, "a whole number of at least 1, or none")
    return asked


def _completed(
    field: _Field, wanted: Combinations, workers: int, cancel: Callable[[], bool] | None
) -> Iterator[tuple[int, int, FloatArray]]:
    """Yield finished chunks; only so many are in the air that memory does not grow with the grid."""
    size = min(max(len(wanted) // (workers * CHUNKS_PER_WORKER), 1), LARGEST_CHUNK)
    starts = iter(range(0, len(wanted), size))
    pending: dict[Future[FloatArray], tuple[int, int]] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="sweep") as pool:
        while True:
            while len(pending) < 2 * workers and (cancel is None or not cancel()):
                start = next(starts, None)
                if start is None:
                    break
                stop = min(start + size, len(wanted))
                pending[pool.submit(_run_chunk, field, wanted, start, stop)] = (start, stop)
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                yield (*pending.pop(future), future.result())


def _run_chunk(field: _Field, wanted: Combinations, start: int, stop: int) -> FloatArray:
    return field.run_rows(wanted.rows(start, stop))
