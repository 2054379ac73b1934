"""The append-only ledger: every cent and every share with its reason."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models

from portfolios.models.account import BrokerAccount
from portfolios.models.cell import Cell
from portfolios.models.fields import money_field, price_field, shares_field
from portfolios.models.tenant import TenantOwned
from volbal.common.append_only import append_only


@append_only
class LedgerEntry(TenantOwned):
    """One signed movement. An account's own cash moves where `cell` is empty.

    `key` names the cause (`fill:12:buy`, `action:7:cell:3:tax`), unique in the tenant: a cause told twice books once.
    """

    class Kind(models.TextChoices):
        OPENING = "opening", "Opening"
        DEPOSIT = "deposit", "Deposit"
        WITHDRAWAL = "withdrawal", "Withdrawal"
        TRANSFER = "transfer", "Transfer"
        BUY = "buy", "Buy"
        SELL = "sell", "Sell"
        COMMISSION = "commission", "Commission"
        FEE = "fee", "Fee"
        INTEREST = "interest", "Interest"
        DIVIDEND = "dividend", "Dividend"
        TAX = "tax", "Tax"
        SPLIT = "split", "Split"
        CASH_IN_LIEU = "cash_in_lieu", "Cash in lieu"
        ADJUSTMENT = "adjustment", "Adjustment"

    account = models.ForeignKey(BrokerAccount, on_delete=models.PROTECT, related_name="entries")
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="entries", null=True, blank=True)
    kind = models.CharField(max_length=12, choices=Kind)
    key = models.CharField(max_length=80)
    cash = money_field(default=Decimal(0))
    shares = shares_field(default=Decimal(0))
    receivable = money_field(default=Decimal(0))
    currency = models.CharField(max_length=3)
    price = price_field(null=True, blank=True)
    as_of = models.DateTimeField(help_text="The prices' time")
    recorded_at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    task = models.CharField(max_length=80, blank=True)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, related_name="reversed_by", null=True, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "ledger entries"
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="ledger_key_once")]
        indexes = [
            models.Index(fields=["cell", "id"], name="ledger_by_cell"),
            models.Index(fields=["account", "id"], name="ledger_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
