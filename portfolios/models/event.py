"""The outbox of events, and the audit chain laid over it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from portfolios.models.tenant import Tenant
from volbal.common.append_only import append_only
from volbal.common.tenancy import TenantManager


@append_only
class Event(models.Model):
    """A change, written in its transaction: who, what, before, after, why, request. People are named by id only."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    kind = models.CharField(max_length=48, help_text="noun.verb, for example cell.started")
    subject = models.CharField(max_length=64, help_text="noun:id, for example cell:12")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    task = models.CharField(max_length=80, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=40, blank=True)
    as_of = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)

    objects = TenantManager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "id"], name="event_by_tenant"),
            models.Index(fields=["subject", "id"], name="event_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class EventCursor(models.Model):
    """How far one reader of the outbox has come."""

    reader = models.CharField(max_length=48, primary_key=True)
    last_event_id = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.reader} at {self.last_event_id}"


@append_only
class AuditLink(models.Model):
    """One link of a tenant's hash chain over its committed events. Installation-wide events chain without a tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="audit_link")
    sequence = models.BigIntegerField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantManager()

    class Meta:
        ordering = ["tenant_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="audit_sequence_once"),
            models.UniqueConstraint(
                fields=["sequence"],
                condition=models.Q(tenant__isnull=True),
                name="audit_sequence_once_installation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}:{self.sequence}"
