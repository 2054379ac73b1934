"""manage.py archive_evaluations: old HOLD evaluations to Parquet files, and those files against their checksums."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from trading.models import EvaluationArchive
from trading.services.archives import ArchiveError, archive_verify, evaluations_archive, retention_days
from volbal.common.tenancy import every_tenant


class Command(BaseCommand):
    help = (
        "Move HOLD evaluations that were recorded longer ago than the retention says to Parquet files, from where the "
        "pages still show them. It may be stopped and started again at any moment. BUY, SELL and SKIP stay."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take another number of days for this run, or only check the files there are."""
        parser.add_argument("--days", type=int, help="instead of the retention that is set")
        parser.add_argument("--verify", action="store_true", help="only compare every file with its checksum")

    def handle(self, *_: Any, days: int | None, verify: bool, **__: Any) -> None:
        """Archive, or verify, and say how much."""
        if days is not None and days < 1:
            raise CommandError(f"--days is {days}; expected at least 1.")
        with every_tenant():
            if verify:
                self._verify()
                return
            try:
                done = evaluations_archive(hold_days=days)
            except ArchiveError as error:
                raise CommandError(str(error)) from error
            kept = retention_days() if days is None else days
        self.stdout.write(
            f"{done.row_count} HOLD evaluations older than {kept} days archived in {done.file_count} files."
        )

    def _verify(self) -> None:
        broken = []
        archives = list(EvaluationArchive.objects.order_by("id"))
        for archive in archives:
            try:
                archive_verify(archive)
            except ArchiveError as error:
                broken.append(str(error))
        for line in broken:
            self.stdout.write(line)
        if broken:
            raise CommandError(f"{len(broken)} of {len(archives)} files are not what was written.")
        self.stdout.write(f"{len(archives)} files are what was written.")
