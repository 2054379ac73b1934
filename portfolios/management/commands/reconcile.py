"""manage.py reconcile: every running total against its ledger."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portfolios.models import BrokerAccount, Cell
from portfolios.selectors import reconcile
from volbal.common.tenancy import every_tenant


class Command(BaseCommand):
    help = "Recompute every cell and account from its ledger and name each difference; ends non-zero if there is one."

    def handle(self, *_: Any, **__: Any) -> None:
        """Print the differences, or how much was found equal."""
        with every_tenant():
            differences = reconcile()
            cells, accounts = Cell.objects.count(), BrokerAccount.objects.count()
        for difference in differences:
            self.stdout.write(str(difference))
        if differences:
            raise CommandError(f"{len(differences)} totals of {cells} cells and {accounts} accounts differ.")
        self.stdout.write(f"{cells} cells and {accounts} accounts equal their ledger.")
