"""manage.py streams"""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand

from trading.streams.alpaca_prices import AlpacaPrices
from trading.streams.runner import STOP_SECONDS, StreamRunner


class Command(BaseCommand):
    help = (
        "Follow what brokers tell as it happens, and Alpaca's prices where they are traded on, until Ctrl-C or SIGTERM."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        """Follow until told to end, then leave every stream to others."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        threads: tuple[StreamRunner, AlpacaPrices] = (StreamRunner(), AlpacaPrices())
        for one in threads:
            one.start()
        try:
            threads[0].join()
        except KeyboardInterrupt:
            for one in threads:
                one.end()
            for one in threads:
                one.join(STOP_SECONDS)
            self.stdout.write("Stopped.")
