"""Backtest one cell on a file of bars. Needs no database and no server."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from volbal.common.errors import VolbalError


class Command(BaseCommand):
    """Read bars and actions, run the rule over them, show measures or write them as JSON and as a workbook."""

    help = "Backtest one cell on a file of bars and show its measures. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        from optimization.command_line.arguments import add_shared_arguments

        parser.formatter_class = argparse.HelpFormatter
        add_shared_arguments(parser)
        parser.add_argument(
            "--path", choices=("ohlc", "olhc", "band"), help="how resting orders walk a bar (ohlc); band: both in full"
        )
        parser.add_argument("--json", metavar="F|-", help="write the result as JSON, - to standard output")
        parser.add_argument("--xlsx", metavar="F", help="write a workbook: summary, trades, days with charts")

    def handle(self, *_: Any, **arguments: Any) -> None:
        """Run, then write; a refusal ends with status 2 and leaves no file behind."""
        from volbal.strategy import StrategyError

        try:
            self._run(arguments)
        except (VolbalError, StrategyError) as error:
            raise CommandError(str(error), returncode=2) from error

    def _run(self, arguments: dict[str, Any]) -> None:
        from optimization.command_line import arguments as shared
        from optimization.command_line.outputs import write_whole
        from optimization.command_line.progress import Progress
        from optimization.command_line.summary import quality_text, summary_text
        from volbal.strategy import simulate

        shared.refuse_same_file(arguments["json"], arguments["xlsx"])
        paths = _paths(arguments)
        request = shared.read_request(arguments)
        slippage_bps = request.options.get("slippage_bps", 0.0)
        cautions = request.parameters.warnings(slippage_bps, bar_seconds=request.bars.spacing_seconds)
        with Progress("bars"):
            results = {path: simulate(request.bars, request.parameters, **request.options, path=path) for path in paths}
        shared.write_notes(self.stderr, [caution.sentence for caution in cautions])
        described = {**request.described, **({"path": arguments["path"]} if arguments["path"] is not None else {})}
        quality = shared.quality_of_request(request, arguments["exchange"])
        text = json.dumps(_document(described, results, quality.as_json()), indent=1, allow_nan=False)
        if arguments["xlsx"] is not None:
            from optimization.workbook import write_backtest

            write_whole(arguments["xlsx"], lambda path: write_backtest(path, results, described, quality))
        if arguments["json"] == "-":
            self.stdout.write(text)
            return
        if arguments["json"] is not None:
            write_whole(arguments["json"], lambda path: _write_text(path, text))
        self.stdout.write(summary_text(results))
        self.stdout.write(quality_text(quality))


def _paths(arguments: dict[str, Any]) -> tuple[str, ...]:
    """Return the paths to run, the one that was asked for first."""
    from optimization.command_line.values import InputRefused

    path = "ohlc" if arguments["path"] is None else arguments["path"]
    if arguments["execution"] == "resting":
        # A result of resting orders is never shown without the other end of its band.
        return ("olhc", "ohlc") if path == "olhc" else ("ohlc", "olhc")
    if path == "band":
        raise InputRefused("--path band shows what resting orders do within a bar; expected --execution resting.")
    return (path,)


def _document(described: dict[str, Any], results: dict[str, Any], quality: dict[str, Any]) -> dict[str, Any]:
    from optimization.documents import result_document

    symbol = next(iter(results.values())).bars.symbol
    documents = {path: result_document(result) for path, result in results.items()}
    if described.get("path") == "band":
        return {"name": symbol, "input": described, "band": documents, "quality": quality}
    band = {path: {"measures": one["measures"]} for path, one in documents.items()} if len(documents) > 1 else None
    first = next(iter(documents.values()))
    return {"name": symbol, "input": described, **first, **({} if band is None else {"band": band}), "quality": quality}


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
