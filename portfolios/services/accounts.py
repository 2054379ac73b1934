"""Accounts at brokers: opened, paid into and out of."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.db import transaction

from portfolios.models import BrokerAccount, LedgerEntry, Tenant
from portfolios.services.amounts import cash_amount, require_held, require_some
from portfolios.services.changes import changing
from portfolios.services.checks import insert
from portfolios.services.events import event_record, subject_of
from portfolios.services.ledger import Movement, book
from portfolios.services.money import new_key
from portfolios.services.origin import Origin
from volbal.common.errors import Refused
from volbal.common.numbers import ZERO

COMMISSION_RATE_LIMIT = Decimal("0.1")


def account_create(
    *,
    tenant: Tenant,
    name: str,
    broker: str,
    origin: Origin,
    currency: str = "USD",
    commission_rate: Decimal = Decimal("0.0001"),
    commission_min: Decimal = ZERO,
) -> BrokerAccount:
    """Open an empty account. Raises Refused naming what cannot be."""
    if not 0 <= commission_rate < COMMISSION_RATE_LIMIT:
        raise Refused(
            f"commission_rate is {commission_rate}; expected at least 0 and below {COMMISSION_RATE_LIMIT}.",
            code="out_of_bounds",
        )
    account = BrokerAccount(
        tenant=tenant,
        name=name,
        broker=broker,
        currency=currency,
        commission_rate=commission_rate,
        commission_min=cash_amount("commission_min", commission_min),
    )
    with transaction.atomic():
        insert(account)
        facts: dict[str, Any] = {"name": name, "broker": broker, "currency": currency}
        facts |= {"commission_rate": commission_rate, "commission_min": commission_min}
        event_record(
            kind="account.created", subject=subject_of(account), origin=origin, tenant_id=tenant.pk, after=facts
        )
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
