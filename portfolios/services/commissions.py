"""Commission schedules: set and withdrawn, at the level they apply to."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount, CommissionSchedule, Instrument, Tenant
from portfolios.services.amounts import cash_amount
from portfolios.services.changes import changing
from portfolios.services.checks import insert
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from volbal.common import numbers
from volbal.common.errors import Refused
from volbal.common.tenancy import require_tenant

RATE_LIMIT = Decimal("0.1")


def commission_set(
    *,
    terms: CommissionTerms,
    origin: Origin,
    tenant: Tenant | None = None,
    account: BrokerAccount | None = None,
    instrument: Instrument | None = None,
) -> CommissionSchedule:
    """Say what orders cost at a level: an instrument's, an account's, a tenant's or, with none given, everywhere.

    Raises Refused naming the number that is out of bounds; nothing is changed then. Orders keep what they were made
    with.
    """
    terms = _checked(terms)
    tenant_id = account.tenant_id if account is not None else None if tenant is None else tenant.pk
    if tenant_id is not None:
        require_tenant(tenant_id)
    row = CommissionSchedule(
        tenant_id=tenant_id,
        account=account,
        instrument=instrument,
        scope=commission_scope(tenant_id, account, instrument),
        rate=terms.rate,
        per_share=terms.per_share,
        minimum=terms.minimum,
        cap=terms.cap,
    )
    with transaction.atomic():
        present = CommissionSchedule.objects.filter(scope=row.scope).first()
        if present is None:
            insert(row)
            event_record(
                kind="commission.set",
                subject=subject_of(row),
                origin=origin,
                tenant_id=tenant_id,
                after={"scope": row.scope, **_told(terms)},
            )
            return row
        with changing(present, kind="commission.set", origin=origin) as change:
            for name, value in _told(terms).items():
                setattr(change.row, name, value)
    return present


def commission_withdraw(*, schedule: CommissionSchedule, origin: Origin) -> None:
    """Remove a schedule, so that the next less specific one counts. The event keeps what it said."""
    with transaction.atomic():
        event_record(
            kind="commission.withdrawn",
            subject=subject_of(schedule),
            origin=origin,
            tenant_id=schedule.tenant_id,
            before={"scope": schedule.scope, **_told(schedule.terms)},
        )
        schedule.delete()


def commission_scope(tenant_id: int | None, account: BrokerAccount | None, instrument: Instrument | None) -> str:
    """Return how a level is named, the same for the same level: `tenant:3 account:5 instrument:IBM`."""
    parts = [
        "" if tenant_id is None else f"tenant:{tenant_id}",
        "" if account is None else f"account:{account.pk}",
        "" if instrument is None else f"instrument:{instrument.symbol}",
    ]
    return " ".join(filter(None, parts)) or "everywhere"


def _told(terms: CommissionTerms) -> dict[str, Decimal | None]:
    return {"rate": terms.rate, "per_share": terms.per_share, "minimum": terms.minimum, "cap": terms.cap}


def _checked(terms: CommissionTerms) -> CommissionTerms:
    """Return the terms as their columns keep them. Raises Refused naming the number that cannot be kept."""
    if not 0 <= terms.rate < RATE_LIMIT:
        _refuse("rate", terms.rate, f"at least 0 and below {RATE_LIMIT}")
    if not terms.per_share.is_finite() or terms.per_share < 0:
        _refuse("per_share", terms.per_share, "at least 0")
    minimum = cash_amount("minimum", terms.minimum)
    cap = None if terms.cap is None else cash_amount("cap", terms.cap)
    if cap is not None and cap < minimum:
        _refuse("cap", cap, f"at least the minimum {minimum}")
    return CommissionTerms(terms.rate, numbers.price(terms.per_share), minimum, cap)


def _refuse(name: str, value: Decimal, expected: str) -> None:
    raise Refused(f"{name} is {value}; expected {expected}.", code="out_of_bounds")
