"""manage.py streams"""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand

from trading.streams.runner import STOP_SECONDS, StreamRunner


class Command(BaseCommand):
    help = "Follow the streams of all accounts whose broker tells what happens as it happens, until Ctrl-C or SIGTERM."

    def handle(self, *_: Any, **__: Any) -> None:
        """Follow until told to end, then leave every stream to others."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        runner = StreamRunner()
        runner.start()
        try:
            runner.join()
        except KeyboardInterrupt:
            runner.end()
            runner.join(STOP_SECONDS)
            self.stdout.write("Stopped.")
