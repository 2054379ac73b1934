"""Backtest every combination of a grid of parameters on a file of bars. Needs no database and no server."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from volbal.common.errors import VolbalError

INTERRUPTED = 130  # what a shell expects of a command stopped by Ctrl-C


class Command(BaseCommand):
    """Read bars, actions and a grid, run every combination in parallel, write one row for each."""

    help = "Backtest every combination of a grid on a file of bars; one row each. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        from optimization.command_line import values
        from optimization.command_line.arguments import add_shared_arguments
        from volbal.strategy import MEASURES

        parser.formatter_class = argparse.HelpFormatter
        add_shared_arguments(parser)
        parser.add_argument("--path", choices=("ohlc", "olhc"), help="how resting orders walk a bar (ohlc)")
        parser.add_argument(
            "--grid", required=True, metavar="JSON|F", help='each parameter a list, or {"from": a, "to": b, "step": s}'
        )
        parser.add_argument("--out", required=True, metavar="F", help="where to write: .csv or .parquet")
        parser.add_argument("--workers", type=values.whole, metavar="N", help="threads (one for each core)")
        parser.add_argument("--top", type=values.whole, metavar="N", help="show the N best")
        parser.add_argument(
            "--by", choices=[measure.name for measure in MEASURES], default="sharpe", metavar="MEASURE",
            help="what the best are chosen by (sharpe)",
        )  # fmt: skip

    def handle(self, *_: Any, **arguments: Any) -> None:
        """Run, then write; a refusal ends with status 2, Ctrl-C with 130, and both leave no file behind."""
        from volbal.strategy import StrategyError

        try:
            self._run(arguments)
        except (VolbalError, StrategyError) as error:
            raise CommandError(str(error), returncode=2) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Nothing was written.", returncode=INTERRUPTED) from None

    def _run(self, arguments: dict[str, Any]) -> None:
        from optimization.command_line import arguments as shared
        from optimization.command_line.outputs import write_whole
        from optimization.command_line.progress import Progress
        from optimization.command_line.summary import quality_text
        from optimization.tables import write_sweep
        from volbal.strategy import sweep

        _refuse_output(arguments["out"])
        shared.refuse_same_file(arguments["out"])
        combinations = _combinations(arguments)
        request = shared.read_request(arguments)
        path = {} if arguments["path"] is None else {"path": arguments["path"]}
        started = time.monotonic()
        with Progress("combinations") as progress:
            result = sweep(
                request.bars, combinations, workers=arguments["workers"], progress=progress, **request.options, **path
            )
        band = _other_path(request, combinations, result, arguments["workers"])
        seconds = time.monotonic() - started
        write_whole(arguments["out"], lambda target: write_sweep(result, target, band))
        self.stdout.write(f"{len(result):,} combinations in {seconds:.2f} s, written to {arguments['out']}")
        self.stdout.write(quality_text(shared.quality_of_request(request, arguments["exchange"])))
        if arguments["top"] is not None:
            self._show_best(result, arguments["by"], arguments["top"], band)

    def _show_best(self, result: Any, measure: str, count: int, band: Any) -> None:
        from optimization.command_line.summary import table
        from optimization.figures import MEASURE_BY_NAME
        from optimization.tables import best, rows_for_people

        header, rows = rows_for_people(result, best(result, measure, count), measure, band)
        self.stdout.write(
            f"\nBest {len(rows)} by {measure} ({MEASURE_BY_NAME[measure].definition.rstrip('.').lower()}), "
            f"of {len(result):,} tried: the best of many tries owes some of it to luck.\n"
        )
        self.stdout.write("\n".join(table(header, rows)))


def _other_path(request: Any, combinations: Any, result: Any, workers: int | None) -> Any:
    """Return the sweep along the other path of each bar where orders rest: the other end of the intrabar band."""
    from optimization.command_line.progress import Progress
    from volbal.strategy import sweep

    if result.options.execution != "resting":
        return None
    path = "ohlc" if result.options.path == "olhc" else "olhc"
    with Progress("combinations, other path") as progress:
        return sweep(request.bars, combinations, workers=workers, progress=progress, **request.options, path=path)


def _refuse_output(name: str) -> None:
    from optimization.command_line.values import InputRefused

    if Path(name).suffix.lower() not in (".csv", ".parquet"):
        raise InputRefused(
            f"--out {name}: the extension is {Path(name).suffix or 'missing'}; expected .csv or .parquet."
        )


def _combinations(arguments: dict[str, Any]) -> Any:
    """Return the grid around the fixed parameters. Raises InputRefused where a parameter is in both."""
    from optimization.command_line.arguments import read_parameters
    from optimization.command_line.values import InputRefused, json_object
    from volbal.strategy import GridError, StrategyParameters, expand_grid

    grid, fixed = json_object(arguments["grid"], "--grid"), read_parameters(arguments)
    both = sorted(set(fixed) & set(grid))
    if both:
        raise InputRefused(f"{both[0]} is given both as a parameter and in the grid; expected one of them.")
    try:
        return expand_grid(grid, StrategyParameters.from_dict(fixed))
    except GridError as error:
        raise InputRefused(f"--grid {arguments['grid']}: {error}.") from None
