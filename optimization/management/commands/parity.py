"""Prove on a file of bars that live trading does what the backtest does."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.test.utils import override_settings

from volbal.common.errors import VolbalError

# What a backtest has beyond the live path.
NOT_LIVE = ("fill", "slippage_bps", "shares", "anchor", "risk_free_rate")
SHOWN = 20


class Command(BaseCommand):
    """Run the live path (ticks, orders, paper broker, ledger) and the backtest on the same bars and compare."""

    help = "Run the live path and the backtest on the same bars, in a database of its own, and name every difference."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        from optimization.command_line.arguments import add_shared_arguments

        parser.formatter_class = argparse.HelpFormatter
        add_shared_arguments(parser)
        parser.add_argument(
            "--partial-fills",
            action="store_true",
            help="fill each order in two to five parts, each reported",
        )
        parser.add_argument("--path", choices=("ohlc", "olhc"), help="how resting orders meet each bar (ohlc)")
        parser.add_argument("--seed", type=int, default=0, help="what the parts are cut from (default 0)")

    def handle(self, *_: Any, **arguments: Any) -> None:
        """Compare; exit with status 1 when anything differs and 2 on bad input."""
        from volbal.strategy import StrategyError

        try:
            report = self._compare(arguments)
        except (VolbalError, StrategyError) as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(
            f"{report.bars:,} bars: {report.evaluations:,} evaluations and {report.trades:,} trades compared"
            f"{f', filled in {report.fills:,} parts' if arguments['partial_fills'] else ''}."
        )
        for difference in report.differences[:SHOWN]:
            self.stdout.write(f"  {difference}")
        if report.differences:
            raise CommandError(f"{len(report.differences):,} differences between live and backtest.", returncode=1)
        self.stdout.write("No difference.")

    def _compare(self, arguments: dict[str, Any]) -> Any:
        from optimization.command_line.arguments import read_request
        from optimization.command_line.progress import Progress
        from optimization.services.parity import ParityCase, parity_run

        _refuse_backtest_only(arguments)
        request = read_request(arguments)
        options = request.options
        case = ParityCase(
            bars=request.bars.select(options.get("start"), options.get("end"), after_hours=True),
            parameters=request.parameters,
            dividends=options.get("dividends", ()),
            splits=options.get("splits", ()),
            cash=Decimal(repr(options.get("cash", 100_000.0))),
            stock_fraction=options.get("stock_fraction", 0.5),
            reinvest=options.get("reinvest", False),
            exchange=arguments["exchange"],
            execution=arguments["execution"] or "watch",
            path=arguments["path"] or "ohlc",
            partial_fills=arguments["partial_fills"],
            seed=arguments["seed"],
        )
        with scratch_database(), Progress("steps") as progress:
            return parity_run(case, progress=progress)


def _refuse_backtest_only(arguments: dict[str, Any]) -> None:
    from optimization.command_line.values import InputRefused

    if arguments["path"] is not None and arguments["execution"] != "resting":
        raise InputRefused("--path shows what resting orders do within a bar; expected --execution resting.")
    for name in NOT_LIVE:
        if arguments[name] is not None:
            option = "--" + name.replace("_", "-")
            raise InputRefused(f"{option} {arguments[name]} exists in backtests only; expected it left out in parity.")


@contextmanager
def scratch_database() -> Iterator[None]:
    """Give the block an empty database and file store of its own, taken away afterwards."""
    connection.settings_dict["TEST"]["NAME"] = None if connection.vendor == "sqlite" else f"volbal_parity_{os.getpid()}"
    before = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with tempfile.TemporaryDirectory() as folder, override_settings(MEDIA_ROOT=folder):
            yield
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)
