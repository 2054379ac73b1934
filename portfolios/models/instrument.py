"""What can be held. Shared by the whole installation."""

from __future__ import annotations

from django.db import models


class Instrument(models.Model):
    """A listed share. Its exchange's calendar says when it trades and which day it is there."""

    symbol = models.CharField(max_length=16, unique=True)
    name = models.CharField(max_length=120)
    exchange = models.CharField(max_length=8, default="XNYS", help_text="ISO 10383 code, as in exchange-calendars")
    currency = models.CharField(max_length=3, default="USD")
    actions_version = models.PositiveIntegerField(
        default=0, help_text="Grows with every change of its dividends and splits"
    )

    class Meta:
        ordering = ["symbol"]

    def __str__(self) -> str:
        return self.symbol
