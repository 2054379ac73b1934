"""How much silence one turn at a broker puts up with, so that a single lost answer holds up nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from trading.brokers.base import BrokerAccessError, BrokerBusyError, BrokerUnreachableError
from trading.services.broker_turns import SLOW_SECONDS

# With a tenth of the answers lost, three in a row are one in a thousand; a line that is down loses every one.
SILENT_IN_A_ROW = 3

logger = logging.getLogger(__name__)


class Patience:
    """Lets a turn go on after a call without an answer: what it was about is asked again at the next turn.

    The turn ends, by the call's own BrokerUnreachableError, with `SILENT_IN_A_ROW` in a row or one that was waited for
    longer than `SLOW_SECONDS`. A broker that is busy or does not let us in said so: that ends it at once.
    """

    def __init__(self) -> None:
        self._silent_in_a_row = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Make a call about one order in the block."""
        began = time.monotonic()
        try:
            yield
        except (BrokerBusyError, BrokerAccessError):
            raise
        except BrokerUnreachableError as silence:
            self._silent_in_a_row += 1
            if self._silent_in_a_row == SILENT_IN_A_ROW or time.monotonic() - began > SLOW_SECONDS:
                raise
            logger.info("no answer about one order, going on: %s", silence)
        else:
            self._silent_in_a_row = 0
