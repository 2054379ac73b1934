"""Fills that belong to no order of ours: held for a person, moving nothing."""

from __future__ import annotations

from django.db import transaction

from portfolios.models import BrokerAccount
from portfolios.services.changes import lock
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.brokers.base import FillReport
from trading.models import HeldFill
from volbal.common import numbers

ORIGIN = Origin(task="broker")


def fill_hold(*, account: BrokerAccount, report: FillReport) -> HeldFill:
    """Hold a checked report for a person; the same report again changes nothing."""
    with transaction.atomic():
        lock(account)
        known = HeldFill.objects.filter(account=account, broker_fill_id=report.broker_fill_id).first()
        if known is not None:
            return known
        held = HeldFill.objects.create(
            tenant_id=account.tenant_id,
            account=account,
            broker_fill_id=report.broker_fill_id,
            broker_order_id=report.broker_order_id,
            client_order_id=report.client_order_id,
            symbol=report.symbol,
            side=report.side,
            quantity=numbers.shares(report.quantity),
            price=report.price,
            commission=report.commission,
            as_of=report.as_of,
        )
        event_record(
            kind="fill.held",
            subject=subject_of(account),
            origin=ORIGIN,
            after={
                "held": held.pk,
                "broker_fill_id": held.broker_fill_id,
                "client_order_id": held.client_order_id,
                "symbol": held.symbol,
                "side": held.side,
                "quantity": held.quantity,
                "price": held.price,
            },
            as_of=held.as_of,
            tenant_id=account.tenant_id,
        )
    return held
