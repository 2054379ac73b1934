"""The lines over which brokers tell us what happens to an account's orders, and feeds what prices are."""

from __future__ import annotations

import datetime as dt

from django.db import models

from portfolios.models import BrokerAccount, TenantOwned


class Connection(models.Model):
    """How a stream stands. One process follows it, as long as it renews its lease."""

    class State(models.TextChoices):
        CONNECTED = "connected", "Connected"
        WAITING = "waiting", "Lost, will try again"
        REFUSED = "refused", "Not let in"
        STOPPED = "stopped", "Stopped"

    state = models.CharField(max_length=10, choices=State, default=State.STOPPED)
    state_at = models.DateTimeField(null=True, blank=True, help_text="Wall clock of the last change of state")
    last_message_at = models.DateTimeField(null=True, blank=True)
    messages = models.BigIntegerField(default=0, help_text="Read since the beginning")
    refused_messages = models.BigIntegerField(default=0, help_text="Could not be read")
    refusal = models.CharField(max_length=240, blank=True, help_text="Why the last of those could not be read")
    losses = models.BigIntegerField("times lost", default=0)
    error = models.CharField("last error", max_length=240, blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=80, blank=True, help_text="The process that follows it")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="Until when it is the owner's alone")

    class Meta:
        abstract = True

    def is_followed(self, moment: dt.datetime) -> bool:
        """Return whether some process says that it follows it."""
        return self.lease_until is not None and self.lease_until > moment


class BrokerConnection(TenantOwned, Connection):
    """How an account's stream stands."""

    account = models.OneToOneField(BrokerAccount, on_delete=models.PROTECT, related_name="connection")

    class Meta:
        ordering = ["account_id"]

    def __str__(self) -> str:
        return f"stream of account {self.account_id}"


class PriceConnection(Connection):
    """How the stream of a source of prices stands; prices are shared by all tenants."""

    source = models.CharField(max_length=40, unique=True)

    class Meta:
        ordering = ["source"]

    def __str__(self) -> str:
        return f"stream of {self.source}"
