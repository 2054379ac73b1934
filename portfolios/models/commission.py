"""Commission schedules: of the installation, a tenant, an account, or one instrument in any of these."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q

from portfolios.commission import CommissionTerms
from portfolios.models.account import BrokerAccount
from portfolios.models.fields import money_field, price_field
from portfolios.models.instrument import Instrument
from portfolios.models.tenant import Tenant
from volbal.common.tenancy import InstallationManager


class CommissionSchedule(models.Model):
    """What orders cost where nothing more specific says otherwise: instrument before account before tenant.

    A row applies as a whole. The rate that was used stands on the order.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    account = models.ForeignKey(
        BrokerAccount, on_delete=models.PROTECT, related_name="commission_schedules", null=True, blank=True
    )
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    scope = models.CharField(max_length=60, unique=True, editable=False, help_text="What it applies to, once")
    rate = models.DecimalField(max_digits=9, decimal_places=8, default=Decimal("0.0001"))
    per_share = price_field(default=Decimal(0))
    minimum = money_field(default=Decimal(0))
    cap = money_field(null=True, blank=True)

    objects = InstallationManager()

    class Meta:
        ordering = ["scope"]
        constraints = [
            models.CheckConstraint(condition=Q(rate__gte=0, rate__lt=Decimal("0.1")), name="commission_rate_bounds"),
            models.CheckConstraint(condition=Q(per_share__gte=0, minimum__gte=0), name="commission_amount_bounds"),
            models.CheckConstraint(
                condition=Q(cap__isnull=True) | Q(cap__gte=models.F("minimum")), name="commission_cap_bounds"
            ),
            models.CheckConstraint(
                condition=Q(account__isnull=True) | Q(tenant__isnull=False), name="commission_owner"
            ),
        ]

    def __str__(self) -> str:
        return self.scope

    @property
    def terms(self) -> CommissionTerms:
        """Return what an order costs by it."""
        return CommissionTerms(self.rate, self.per_share, self.minimum, self.cap)

    @property
    def precedence(self) -> int:
        """Return how specific it is; the greatest counts."""
        return 4 * (self.instrument_id is not None) + 2 * (self.account_id is not None) + (self.tenant_id is not None)
