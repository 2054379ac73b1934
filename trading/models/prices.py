"""How far prices are trusted: what is remembered of each source, what is held back, and how its quotes were."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from portfolios.models import Instrument
from portfolios.models.fields import price_field


class PriceQuarantine(models.Model):
    """A price more than 25 % from the last accepted one, kept from trading until someone resolves it (strategy 9)."""

    class Status(models.TextChoices):
        OPEN = "open", "Waits for a person"
        ACCEPTED = "accepted", "Accepted by a person"
        REFUSED = "refused", "Refused by a person"
        CONFIRMED = "confirmed", "Confirmed by a second source"
        RETURNED = "returned", "The price came back by itself"

    source = models.CharField(max_length=40)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    is_synthetic = models.BooleanField()
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    price = price_field(help_text="The price held back, as first seen")
    newest_price = price_field(help_text="As last seen while it was open")
    accepted_price = price_field(help_text="The last accepted price, after the day's splits and dividends")
    cause = models.CharField(max_length=240)
    opened_at = models.DateTimeField(help_text="The price's time when it was first seen")
    newest_at = models.DateTimeField(help_text="The price's time when it was last seen")
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    resolution = models.CharField(max_length=240, blank=True, help_text="Why, in words")

    class Meta:
        ordering = ["-id"]
        verbose_name = "quarantined price"
        constraints = [
            models.UniqueConstraint(
                fields=["source", "instrument"], condition=Q(status="open"), name="quarantine_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} at {self.newest_price:f} from {self.source}"


class PriceTrack(models.Model):
    """What is remembered of one source's prices of an instrument, shared by every portfolio on that source.

    `history` packs the last minutes (see `trading.services.price_judgement.MINUTES`), bounded.
    """

    source = models.CharField(max_length=40)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    quoted_at = models.DateTimeField(help_text="When the newest quote was made")
    looked_at = models.DateTimeField(help_text="When it was last looked at")
    accepted = price_field(null=True, blank=True, help_text="The last accepted price")
    accepted_at = models.DateTimeField(null=True, blank=True)
    session = models.IntegerField(null=True, blank=True, help_text="Day and hours of the last accepted price")
    sigma = models.FloatField(null=True, blank=True, help_text="Standard deviation of its one-minute returns")
    pending = models.CharField(max_length=120, blank=True, help_text="Minute prices that are not believed yet")
    pending_minute = models.IntegerField(null=True, blank=True)
    quarantine = models.ForeignKey(PriceQuarantine, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    history = models.BinaryField(default=b"")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "instrument"], name="price_track_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.instrument_id}"


class QuoteStatistic(models.Model):
    """How wide and how old one source's quotes of an instrument were on an exchange day."""

    source = models.CharField(max_length=40)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    day = models.DateField(help_text="The exchange's")
    count = models.PositiveIntegerField(default=0, help_text="Looks, at most one a second")
    spread_count = models.PositiveIntegerField(default=0, help_text="Looks with a bid and an ask")
    spread_bps_sum = models.FloatField(default=0.0)
    spread_bps_max = models.FloatField(default=0.0)
    age_seconds_sum = models.FloatField(default=0.0)
    age_seconds_max = models.FloatField(default=0.0)

    class Meta:
        ordering = ["-day", "source", "instrument__symbol"]
        constraints = [models.UniqueConstraint(fields=["source", "instrument", "day"], name="quote_statistic_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.instrument_id} {self.day}"

    @property
    def spread_bps_mean(self) -> float | None:
        """Return the mean spread, in hundredths of a percent of the mid; None where it had no two sides."""
        return self.spread_bps_sum / self.spread_count if self.spread_count else None

    @property
    def age_seconds_mean(self) -> float | None:
        """Return the mean age of a quote when it was looked at."""
        return self.age_seconds_sum / self.count if self.count else None


class FeedStatus(models.Model):
    """How one source of current prices does: asked, answering, silent, and whom that was told."""

    source = models.CharField(max_length=40, unique=True)
    is_synthetic = models.BooleanField()
    asking_since = models.DateTimeField(help_text="Since when it is asked without a long pause")
    asked_at = models.DateTimeField()
    quoted_at = models.DateTimeField(null=True, blank=True, help_text="When its newest quote was made")
    errors_in_a_row = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=240, blank=True, help_text="The last one")
    error_at = models.DateTimeField(null=True, blank=True)
    silent_since = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="When its silence became an event")
    quote_count = models.PositiveBigIntegerField(default=0, help_text="Quotes taken")
    refused_count = models.PositiveBigIntegerField(default=0, help_text="Quotes refused")
    refusal = models.CharField(max_length=240, blank=True, help_text="The last one, with its reason")
    is_delayed = models.BooleanField(default=False, help_text="Its prices are late by its own account")

    class Meta:
        ordering = ["source"]
        verbose_name = "feed"

    def __str__(self) -> str:
        return self.source
