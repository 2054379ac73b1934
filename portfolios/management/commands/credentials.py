"""manage.py credentials: the keys that encrypt what accounts show to their brokers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portfolios.credentials import new_key
from portfolios.models import BrokerAccount
from portfolios.services import Origin, account_rotate_credentials
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant

ORIGIN = Origin(task="credentials rotate")


class Command(BaseCommand):
    help = "key: print a new key for CREDENTIALS_KEYS. rotate: encrypt every account's keys with the first one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do."""
        parser.add_argument("what", choices=["key", "rotate"])

    def handle(self, *_: Any, what: str, **__: Any) -> None:
        """Do it. Raises CommandError naming the accounts whose keys could not be read; they stay as they were."""
        if what == "key":
            self.stdout.write(new_key())
            return
        with every_tenant():
            accounts = list(BrokerAccount.objects.exclude(credentials="").order_by("pk"))
            unreadable = [account.name for account in accounts if not _rotated(account)]
        self.stdout.write(f"Encrypted anew: the keys of {len(accounts) - len(unreadable)} accounts.")
        if unreadable:
            raise CommandError(
                f"No key in CREDENTIALS_KEYS reads those of: {', '.join(unreadable)}. They stay as they were; "
                "add the key they were stored with, or set them again in the console."
            )


def _rotated(account: BrokerAccount) -> bool:
    try:
        account_rotate_credentials(account=account, origin=ORIGIN)
    except Refused:
        return False
    return True
