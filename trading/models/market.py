"""Prices: the newest quote of each source, and catalogued series of bars. Shared by the whole installation."""

from __future__ import annotations

from django.db import models

from portfolios.models import Instrument
from portfolios.models.fields import price_field


class BarSeries(models.Model):
    """A version of an instrument's bars, kept as a Parquet file. A correction is a new version."""

    class Resolution(models.TextChoices):
        DAILY = "daily", "Daily"
        MINUTE = "minute", "Minute"

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="bar_series")
    resolution = models.CharField(max_length=8, choices=Resolution)
    version = models.PositiveIntegerField()
    source = models.CharField(max_length=60, help_text="Where the prices come from")
    is_synthetic = models.BooleanField(default=False)
    file = models.FileField(upload_to="bars")
    first = models.DateTimeField(help_text="Start of the first bar")
    last = models.DateTimeField(help_text="Start of the last bar")
    rows = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    quality = models.JSONField(default=dict, blank=True, help_text="What the checks found when it was stored")
    corrections = models.JSONField(
        default=list, blank=True, help_text="Bars that differ from the version before, as its source now has them"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["instrument__symbol", "resolution", "-version"]
        verbose_name_plural = "bar series"
        constraints = [
            models.UniqueConstraint(fields=["instrument", "resolution", "version"], name="bar_series_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.instrument.symbol} {self.resolution} v{self.version}"

    @property
    def grade(self) -> str:
        """Return the word of its quality report; `unchecked` for one stored before there were reports."""
        return str(self.quality.get("grade", "unchecked"))


class Quote(models.Model):
    """The newest quote of an instrument from one source. A replay is a source of its own."""

    source = models.CharField(max_length=40, help_text="Feed, and run where it has several, for example replay:12")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    bid = price_field(null=True, blank=True)
    ask = price_field(null=True, blank=True)
    last = price_field(null=True, blank=True)
    last_at = models.DateTimeField(null=True, blank=True, help_text="When the last trade was, where the source says so")
    previous_close = price_field(null=True, blank=True)
    price = price_field(
        null=True, blank=True, help_text="What cells are valued at: the newest accepted reference price"
    )
    reference = price_field(null=True, blank=True, help_text="Of the newest quote, accepted or not")
    refusal = models.CharField(max_length=24, blank=True, help_text="Why nothing may trade on it; empty where it may")
    refusal_text = models.CharField(max_length=300, blank=True, help_text="The same in words")
    is_synthetic = models.BooleanField()
    as_of = models.DateTimeField(help_text="When the price was made")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "instrument"], name="quote_newest_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.instrument_id}"
