"""Sending intents to brokers and learning what became of them. No broker is called inside a transaction."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass

from django.db.models import Min

from portfolios.models import BrokerAccount
from trading.brokers.base import Broker, BrokerBusyError, BrokerUnreachableError, DoubtfulReport, FillReport
from trading.brokers.registry import broker_of
from trading.models import Fill, FillCursor, Order
from trading.services.broker_lines import line_answers, line_silent
from trading.services.broker_patience import Patience
from trading.services.commission_corrections import commission_correct
from trading.services.fills import fill_book
from trading.services.gates import account_blocks
from trading.services.intent_sending import intents_send
from trading.services.order_asking import Asked, cancels_ask, orders_ask, orders_recover, orders_settle
from trading.services.order_cancels import order_cancel
from trading.services.order_states import ForbiddenMoveError
from trading.services.reconciliation import reconciliation_require
from trading.services.refusals import doubtful_keep
from trading.services.resting_cancels import rests_take_back
from trading.services.restrictions import orders_forbidden
from trading.services.submission import intents_expire
from volbal.common import clock, numbers
from volbal.common.errors import Conflict

S = Order.Status
UNANSWERED = (S.SUBMITTING, S.UNKNOWN)

logger = logging.getLogger(__name__)


def orders_send(*, account_id: int) -> list[Fill]:
    """Submit every waiting intent of an account, then book what the broker reports. Return the new fills.

    Safe to run many times and in many processes: an intent is claimed by compare-and-set before the broker is
    called, and a fill is booked once. A broker that does not answer is asked again at the next call; one answer that
    is lost holds up nothing but the order it was about.
    """
    account = BrokerAccount.objects.select_related("reconciliation").get(pk=account_id)
    broker = broker_of(account)
    patience = Patience()
    fills: list[Fill] = []
    at_work = _at_work(account)
    if at_work.first_end is not None and at_work.first_end <= clock.now():
        intents_expire(account=account)
    try:
        # With nothing but intents that are sent now, the last look before each goes out ends those that may not.
        if not at_work.is_intents_only or account_blocks(account):
            orders_cancel_forbidden(account=account)
            rests_take_back(account=account)
            cancels_ask(account=account, broker=broker, patience=patience)
        if not at_work.states.isdisjoint(UNANSWERED):
            orders_recover(account=account, broker=broker, patience=patience)
        is_working = not at_work.states.isdisjoint(Order.WORKING)
        asked = orders_ask(account=account, broker=broker, patience=patience) if is_working else Asked()
        if not reconciliation_require(account=account).blocks:
            intents_send(account=account, broker=broker, patience=patience)
        fills += fills_collect(account=account, broker=broker)
        orders_settle(account=account, broker=broker, asked=asked, patience=patience)
    except BrokerBusyError as busy:
        logger.info("the broker of account %s takes no more for now: %s", account.pk, busy)
    except BrokerUnreachableError as silence:
        logger.warning("the broker of account %s does not answer: %s", account.pk, silence)
        line_silent(account=account, error=silence)
    else:
        line_answers(account=account)
    return fills


@dataclass(frozen=True, slots=True)
class _AtWork:
    """What there is to do for an account: its open orders' states, whether they are intents only, none of them one
    that rests, and when the first of its intents ends."""

    states: frozenset[str]
    is_intents_only: bool
    first_end: dt.datetime | None


def _at_work(account: BrokerAccount) -> _AtWork:
    """Return what there is to do, in one query."""
    open_orders = Order.objects.filter(account=account).exclude(status__in=Order.ENDED).order_by()
    rows = list(open_orders.values_list("status", "purpose").annotate(first=Min("expires_at")))
    ends = [first for status, _, first in rows if status == S.INTENT and first is not None]
    return _AtWork(
        states=frozenset(status for status, _, _ in rows),
        is_intents_only=all(status == S.INTENT and kind != Order.Purpose.RESTING for status, kind, _ in rows),
        first_end=min(ends, default=None),
    )


def orders_cancel_forbidden(*, account: BrokerAccount) -> None:
    """Cancel the open orders that a halt in force takes back; a broker is asked for it by `cancels_ask`."""
    for order, reason in orders_forbidden(account=account):
        try:
            order_cancel(order=order, detail=reason, asks=False)
        except (Conflict, ForbiddenMoveError) as first:
            logger.info("%s", first)


def fills_collect(*, account: BrokerAccount, broker: Broker) -> list[Fill]:
    """Take every report since the cursor, then move the cursor. Return the fills that were new.

    What its adapter could not read is kept for a person and moves nothing.
    """
    cursor, _ = FillCursor.objects.get_or_create(account=account)
    booked = []
    for report in broker.fills_since(cursor.position):
        if isinstance(report, DoubtfulReport):
            doubtful_keep(account=account, told=report)
            continue
        fill = fill_book(account=account, report=report)
        if fill is not None:
            booked.append(fill)
        elif report.commission is not None:
            _commission_again(account, report)
        _cursor_advance(cursor, report.cursor)
    return booked


def _commission_again(account: BrokerAccount, report: FillReport) -> None:
    """Correct the commission of a fill that is told again: some brokers know it only after the fill itself."""
    if Fill.objects.filter(account=account, broker_fill_id=report.broker_fill_id).exists():
        commission = numbers.money(report.commission or 0)
        commission_correct(account=account, broker_fill_id=report.broker_fill_id, commission=commission)


def _cursor_advance(cursor: FillCursor, position: str) -> None:
    """Move the cursor on from where it was read; where another process moved it, its place is kept."""
    moved = FillCursor.objects.filter(pk=cursor.pk, position=cursor.position).update(position=position)
    if moved == 1:
        cursor.position = position
