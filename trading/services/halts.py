"""Placing halts from where people are, and waking those who cancel what they forbid."""

from __future__ import annotations

from functools import partial

from django.db import transaction

from portfolios.models import TradingRestriction
from portfolios.models.restriction import PERSON
from portfolios.services import Origin, restriction_place
from portfolios.standings import Place
from trading import tasks
from trading.services.reach import senders_at
from volbal.common.starting import task_start


def place_restrict(
    *, on: Place, state: str, origin: Origin, cause: str = PERSON, cancels_orders: bool = True
) -> TradingRestriction:
    """Place a restriction (see `restriction_place`) and wake the senders of what it cancels, after the commit."""
    with transaction.atomic():
        row = restriction_place(on=on, state=state, origin=origin, cause=cause, cancels_orders=cancels_orders)
        if cancels_orders:
            transaction.on_commit(partial(_wake_senders, on))
    return row


def _wake_senders(on: Place) -> None:
    for tenant_id, account_id in senders_at(on):
        task_start(tasks.send_orders, tenant_id, account_id)
