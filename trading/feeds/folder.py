"""Quotes that other programs drop into a folder of this installation (see `trading.services.quote_folder`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.conf import settings

from portfolios.models import Instrument
from trading.feeds.base import FeedUnreachableError, PriceQuote
from trading.feeds.known import quotes_known
from trading.services.quote_folder import folder_take

FOLDER = "folder"


class FolderFeed:
    """The newest quotes of the files in QUOTES_FOLDER. A row may have two sides or a last trade only."""

    name = source = FOLDER
    is_two_sided = is_remote = is_delayed = False

    def __init__(self) -> None:
        self.is_synthetic: bool = settings.QUOTES_FOLDER_IS_SYNTHETIC

    def quotes(self, instruments: Sequence[Instrument], moment: dt.datetime) -> list[PriceQuote]:
        """Take the files that came, then return the newest quotes. Raises FeedUnreachableError without a folder."""
        if settings.QUOTES_FOLDER is None:
            raise FeedUnreachableError("no folder is set; QUOTES_FOLDER names it")
        folder_take(folder=settings.QUOTES_FOLDER, source=self.source, is_synthetic=self.is_synthetic)
        return quotes_known(feed=self, instrument_ids=[instrument.pk for instrument in instruments])
