"""Fetch history into the catalogue."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portfolios.services import Origin
from trading.marketdata.history import DAILY, RESOLUTIONS, source_names
from trading.services.backfills import backfill_create, backfill_run
from volbal.common import clock
from volbal.common.errors import VolbalError

ORIGIN = Origin(task="command line")
ACTIONS_ONLY = "none"


class Command(BaseCommand):
    help = "Fetch bars, dividends and splits from a source into the catalogue, as a new version of each series."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--source", required=True, choices=source_names(), help="where from")
        parser.add_argument("--symbols", required=True, help="what, separated by commas")
        parser.add_argument("--start", required=True, type=_day, metavar="D", help="first day, included")
        parser.add_argument("--end", type=_day, metavar="D", help="last day, included (today)")
        parser.add_argument(
            "--resolution", choices=(*RESOLUTIONS, ACTIONS_ONLY), default=DAILY, help="of the bars; none: actions alone"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Fetch; exit with status 1 where a symbol failed and 2 where nothing could be asked."""
        try:
            job = backfill_create(
                source=options["source"],
                symbols=options["symbols"].split(","),
                start=options["start"],
                end=options["end"] if options["end"] is not None else clock.now().date(),
                resolution="" if options["resolution"] == ACTIONS_ONLY else options["resolution"],
                origin=ORIGIN,
            )
        except VolbalError as error:
            raise CommandError(str(error), returncode=2) from error
        done = backfill_run(backfill_id=job.pk)
        if done is None:
            self.stdout.write(f"Another worker has taken up {job}; the console shows how far it is.")
            return
        for symbol, told in done.results.items():
            self.stdout.write(f"{symbol}: {told}")
        if done.errors:
            failed = "\n".join(f"{symbol}: {told}" for symbol, told in done.errors.items())
            raise CommandError(f"{len(done.errors)} failed; what is above was kept.\n{failed}", returncode=1)


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; expected for example 2014-06-09") from None
