"""Accounts at brokers: opened, paid into and out of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from portfolios.commission import CommissionTerms
from portfolios.credentials import Credentials, credentials_reseal, credentials_seal
from portfolios.models import BrokerAccount, LedgerEntry, Tenant
from portfolios.services.amounts import cash_amount, require_held, require_some
from portfolios.services.changes import changing, lock
from portfolios.services.checks import insert
from portfolios.services.commissions import commission_set
from portfolios.services.events import event_record, subject_of
from portfolios.services.ledger import Movement, book
from portfolios.services.money import new_key
from portfolios.services.origin import Origin
from volbal.common import clock
from volbal.common.errors import Refused


def account_create(
    *,
    tenant: Tenant,
    name: str,
    broker: str,
    origin: Origin,
    currency: str = "USD",
    commission: CommissionTerms | None = None,
    is_live: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> BrokerAccount:
    """Open an empty account, with a commission schedule of its own where one is given.

    Raises Refused naming what cannot be.
    """
    account = BrokerAccount(
        tenant=tenant,
        name=name,
        broker=broker,
        currency=currency,
        is_live=is_live,
        settings=dict(settings or {}),
    )
    with transaction.atomic():
        insert(account)
        facts = {"name": name, "broker": broker, "currency": currency, "is_live": is_live}
        event_record(
            kind="account.created", subject=subject_of(account), origin=origin, tenant_id=tenant.pk, after=facts
        )
        if commission is not None:
            commission_set(terms=commission, origin=origin, account=account)
    return account


@sensitive_variables("values", "credentials")
def account_set_credentials(*, account: BrokerAccount, values: Mapping[str, str], origin: Origin) -> BrokerAccount:
    """Keep what the account shows to its broker, encrypted; the event names the keys by their last characters only.

    Raises Refused when a value is empty or has blanks around it, as a careless copy has.
    """
    for name, value in values.items():
        if not value or value != value.strip() or not value.isprintable():
            raise Refused(f"{name} must be given, without blanks around it; nothing was changed.", code="credentials")
    credentials = Credentials(dict(values))
    with transaction.atomic():
        before = lock(account)
        moment = clock.now()
        _credentials_write(account, credentials_seal(credentials), credentials.hint, moment)
        event_record(
            kind="account.credentials_set",
            subject=subject_of(account),
            origin=origin,
            tenant_id=account.tenant_id,
            before={"keys": before.credentials_hint, "set_at": before.credentials_set_at},
            after={"keys": credentials.hint, "set_at": moment},
        )
    return account


def account_remove_credentials(*, account: BrokerAccount, origin: Origin) -> BrokerAccount:
    """Forget what the account shows to its broker. Raises Refused when there is nothing to forget."""
    with transaction.atomic():
        before = lock(account)
        if not before.credentials:
            raise Refused(f"Account {account.name} has no keys.", code="no_credentials")
        _credentials_write(account, "", "", None)
        event_record(
            kind="account.credentials_removed",
            subject=subject_of(account),
            origin=origin,
            tenant_id=account.tenant_id,
            before={"keys": before.credentials_hint, "set_at": before.credentials_set_at},
        )
    return account


def account_rotate_credentials(*, account: BrokerAccount, origin: Origin) -> BrokerAccount:
    """Encrypt the same keys again with the installation's first key. Raises Refused where none opens them."""
    with transaction.atomic():
        sealed = credentials_reseal(lock(account).credentials)
        BrokerAccount.objects.filter(pk=account.pk).update(credentials=sealed)
        account.credentials = sealed
        event_record(
            kind="account.credentials_rotated",
            subject=subject_of(account),
            origin=origin,
            tenant_id=account.tenant_id,
        )
    return account


def _credentials_write(account: BrokerAccount, sealed: str, hint: str, moment: dt.datetime | None) -> None:
    """Write past `changing`, whose event would keep the encrypted text for ever."""
    account.credentials, account.credentials_hint, account.credentials_set_at = sealed, hint, moment
    account.save(update_fields=["credentials", "credentials_hint", "credentials_set_at"])


def account_deposit(
    *, account: BrokerAccount, amount: Decimal, as_of: dt.datetime, origin: Origin, key: str | None = None
) -> BrokerAccount:
    """Add money that reached the broker. The same `key` given twice books once."""
    amount = cash_amount("amount", amount)
    require_some(amount)
    movement = Movement(LedgerEntry.Kind.DEPOSIT, key or new_key("deposit"), cash=amount)
    return _post(account, movement, "account.deposited", as_of, origin)


def account_withdraw(
    *, account: BrokerAccount, amount: Decimal, as_of: dt.datetime, origin: Origin, key: str | None = None
) -> BrokerAccount:
    """Take out cash that no cell has. Raises Refused when there is less, saying how much."""
    amount = cash_amount("amount", amount)
    require_some(amount)
    movement = Movement(LedgerEntry.Kind.WITHDRAWAL, key or new_key("withdrawal"), cash=-amount)
    return _post(account, movement, "account.withdrawn", as_of, origin)


def _post(account: BrokerAccount, movement: Movement, kind: str, as_of: dt.datetime, origin: Origin) -> BrokerAccount:
    with changing(account, kind=kind, origin=origin, as_of=as_of) as change:
        held = change.row.unallocated_cash
        entries = book(account=account, owner=change.row, movements=[movement], as_of=as_of, origin=origin)
        if entries and movement.cash < 0:
            require_held(account, "unallocated cash", held=held, wanted=-movement.cash)
        if entries:
            change.details["entries"] = [entry.pk for entry in entries]
    return account
