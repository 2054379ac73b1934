"""Accounts at brokers: opened, paid into and out of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction

from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount, LedgerEntry, Tenant
from portfolios.services.amounts import cash_amount, require_held, require_some
from portfolios.services.changes import changing
from portfolios.services.checks import insert
from portfolios.services.commissions import commission_set
from portfolios.services.events import event_record, subject_of
from portfolios.services.ledger import Movement, book
from portfolios.services.money import new_key
from portfolios.services.origin import Origin


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
