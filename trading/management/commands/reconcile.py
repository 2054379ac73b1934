"""manage.py reconcile: every running total against its ledger, and every account against its broker."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portfolios.models import BrokerAccount, Cell
from portfolios.selectors import reconcile
from trading.models import AccountReconciliation, BrokerDifference
from trading.services.orders import orders_send
from trading.services.reconciliation import account_reconcile
from volbal.common.tenancy import every_tenant


class Command(BaseCommand):
    help = (
        "Recompute every cell and account from its ledger and compare every account with its broker; names each "
        "difference and ends non-zero if there is one. The broker is asked only, but fills it reports are booked first."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the choice to leave the brokers alone."""
        parser.add_argument("--books-only", action="store_true", help="ask no broker")

    def handle(self, *_: Any, books_only: bool, **__: Any) -> None:
        """Print the differences, or how much was found equal."""
        with every_tenant():
            found = [str(difference) for difference in reconcile()]
            accounts = list(BrokerAccount.objects.order_by("id"))
            cells = Cell.objects.count()
            for account in [] if books_only else accounts:
                found.extend(_with_broker(account))
        for line in found:
            self.stdout.write(line)
        if found:
            raise CommandError(f"{len(found)} differences in {cells} cells and {len(accounts)} accounts.")
        equal = "equal their ledger" if books_only else "equal their ledger and their brokers"
        self.stdout.write(f"{cells} cells and {len(accounts)} accounts {equal}.")


def _with_broker(account: BrokerAccount) -> list[str]:
    """Return a line for each point where an account and its broker differ, or for a broker that is silent."""
    orders_send(account_id=account.pk)
    state = account_reconcile(account_id=account.pk)
    if state.unreachable_since is not None:
        return [f"account:{account.pk}: {state.detail}"]
    unresolved = BrokerDifference.objects.filter(account=account, status__in=BrokerDifference.UNRESOLVED)
    lines = [f"account:{account.pk}: {one.cause}" for one in unresolved]
    if not lines and state.status != AccountReconciliation.Status.AGREES:
        lines.append(f"account:{account.pk}: books changed while they were compared; compare again")
    return lines
