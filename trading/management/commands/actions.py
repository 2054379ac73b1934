"""Bring in dividends and splits from a CSV file: what each row comes to first, then for good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portfolios.services import Origin
from trading.services.action_imports import import_confirm, import_plan, rows_of_text
from volbal.common.errors import VolbalError
from volbal.common.tenancy import every_tenant


class Command(BaseCommand):
    help = "Show what each dividend and split of a CSV file would do; with --confirm do it for every cell."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", type=Path, help="symbol, ex_date, amount or ratio, and pay_date where it is known")
        parser.add_argument("--source", default="import", help="where they come from; kept with each (import)")
        parser.add_argument("--reason", default="", help="kept with corrections")
        parser.add_argument("--confirm", action="store_true", help="do it; without, nothing is written")

    def handle(self, *_: Any, **options: Any) -> None:
        """Show or do; exit with status 1 where rows were refused and 2 where the file cannot be read."""
        try:
            rows = rows_of_text(str(options["file"]), options["file"].read_text(encoding="utf-8-sig"))
            plan = import_plan(rows)
            if options["confirm"]:
                origin = Origin(task="command line", reason=options["reason"])
                with every_tenant():
                    plan = import_confirm(rows=rows, source=options["source"], origin=origin)
        except (VolbalError, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error), returncode=2) from error
        for one in plan.outcomes:
            self.stdout.write(str(one))
        self.stdout.write(
            f"{plan.sentence}. {'Imported.' if options['confirm'] else 'Nothing was written: --confirm does it.'}"
        )
        if plan.count("refused"):
            raise CommandError(f"{plan.count('refused'):,} rows were refused.", returncode=1)
