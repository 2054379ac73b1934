"""Agreement with brokers: at start before anything trades, then in windows for as long as the account lives."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from portfolios.models import BrokerAccount, Portfolio
from portfolios.services.changes import changing
from portfolios.services.checks import require_reason
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from portfolios.standings import place_of
from trading.brokers.base import Broker, BrokerUnreachableError
from trading.brokers.registry import broker_of
from trading.models import AccountReconciliation, BrokerDifference, TradingLimit
from trading.services.breakers import breaker_trip
from trading.services.broker_cash import cash_collect
from trading.services.broker_views import BrokerView, OwnView, broker_view, own_view
from trading.services.differences import Found, differences_find, differences_keep
from trading.services.order_asking import orders_cancel_ended
from volbal.common import clock
from volbal.common.errors import Refused

ORIGIN = Origin(task="reconciliation")
Status = AccountReconciliation.Status
# A booking between two looks makes them incomparable; the looks are repeated this often.
LOOKS = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """Broker and books at one moment: no fill was booked between reading the one and the other."""

    theirs: BrokerView
    ours: OwnView
    found: Sequence[Found]


def account_reconcile(*, account_id: int) -> AccountReconciliation:
    """Compare an account with its broker and keep what differs. The broker is asked outside any transaction.

    What ended here and still works there is cancelled there: an order given up as lost may turn up late. A broker that
    does not answer leaves the account as it stands, with since when. Books are brought up to date
    before by `orders_send`; what is under way has to last before it counts.
    """
    account = BrokerAccount.objects.get(pk=account_id)
    state = _state(account)
    try:
        broker = broker_of(account)
        # What moved cash without a fill is booked or explains a difference before there is one.
        cash_collect(account=account, broker=broker)
        look = _look(account, broker, state)
        if look is not None:
            listed = [order.client_order_id for order in look.theirs.open_orders]
            orders_cancel_ended(account=account, broker=broker, listed=listed)
    except BrokerUnreachableError as silence:
        _keep_silence(state, str(silence))
        return state
    return state if look is None else _keep(account, state, look)


def reconciliation_require(*, account: BrokerAccount) -> AccountReconciliation:
    """Return how an account stands, checking it first where it waits for its check; load `reconciliation` with it."""
    known = getattr(account, "reconciliation", None)
    state = _state(account) if known is None else known
    return account_reconcile(account_id=account.pk) if state.status == Status.WAITING else state


def accounts_await_reconciliation() -> int:
    """Let every account wait for a check, as at each start of what sends orders; return how many there are.

    Halts, pauses and accepted differences stay as they are.
    """
    moment = clock.now()
    return AccountReconciliation.objects.exclude(status=Status.WAITING).update(
        status=Status.WAITING, status_at=moment, detail="started anew"
    )


def difference_accept(*, difference: BrokerDifference, origin: Origin) -> AccountReconciliation:
    """Let an account trade with a difference that a person knows and explains.

    Shares and cash then may differ by this much and no more. Raises Refused without a reason and for one that is no
    longer open. The account is compared again at once.
    """
    require_reason(origin, "Accepting a difference with the broker")
    with changing(difference, kind="difference.accepted", origin=origin) as change:
        row = change.row
        if row.status not in BrokerDifference.UNRESOLVED:
            raise Refused(f"{row} is {row.get_status_display().lower()}; there is nothing to accept.", code="resolved")
        row.status, row.resolved_at = BrokerDifference.Status.ACCEPTED, clock.now()
        row.resolved_by_id, row.reason = origin.actor_id, origin.reason
        change.details["cause"] = row.cause
    return account_reconcile(account_id=difference.account_id)


def _state(account: BrokerAccount) -> AccountReconciliation:
    state, _ = AccountReconciliation.objects.get_or_create(
        account=account, defaults={"tenant_id": account.tenant_id, "status_at": clock.now()}
    )
    return state


def _look(account: BrokerAccount, broker: Broker, state: AccountReconciliation) -> _Look | None:
    """Return a comparable pair of views with what differs, or None where bookings came between each time."""
    for _ in range(LOOKS):
        theirs = broker_view(broker, state.cursor)
        ours = own_view(account, is_total=theirs.holdings.is_total)
        found = differences_find(
            account, broker, theirs, ours, verified_fill_id=state.verified_fill_id, moment=clock.now()
        )
        if not found or own_view(account, is_total=theirs.holdings.is_total) == ours:
            return _Look(theirs, ours, found)
    return None


def _keep_silence(state: AccountReconciliation, silence: str) -> None:
    logger.warning("the broker of account %s does not answer: %s", state.account_id, silence)
    AccountReconciliation.objects.filter(pk=state.pk, unreachable_since=None).update(unreachable_since=clock.now())
    AccountReconciliation.objects.filter(pk=state.pk).update(detail=f"no answer: {silence}"[:240])
    state.refresh_from_db()


def _keep(account: BrokerAccount, state: AccountReconciliation, look: _Look) -> AccountReconciliation:
    moment = clock.now()
    with transaction.atomic():
        row = AccountReconciliation.objects.select_for_update(no_key=True).get(pk=state.pk)
        unresolved = differences_keep(account=account, found=look.found, moment=moment)
        before = row.status
        row.checked_at, row.unreachable_since, row.check_count = moment, None, row.check_count + 1
        _judge(row, unresolved, moment)
        if not unresolved:
            _advance(row, look)
        row.save()
        if row.status != before and Status.DIFFERS in (row.status, before):
            _tell(row, before, unresolved)
    if row.status == Status.DIFFERS != before:
        _trip(account, row)
    return row


def _trip(account: BrokerAccount, row: AccountReconciliation) -> None:
    """Let the limits that watch for a disagreement act; without one it is told, and the account stands by itself."""
    kind, cause = TradingLimit.Kind.DISAGREEMENT, f"{subject_of(account)} since {row.status_at.isoformat()}"
    limited = Portfolio.objects.filter(
        account=account, pk__in=TradingLimit.objects.filter(kind=kind).values("portfolio")
    )
    for place in (place_of(account), *(place_of(one) for one in limited.select_related("account"))):
        breaker_trip(kind=kind, on=place, detail=row.detail, cause=cause, action=TradingLimit.Action.ALERT)


def _judge(row: AccountReconciliation, unresolved: Sequence[BrokerDifference], moment: dt.datetime) -> None:
    """Agree where nothing is unresolved; differ where something has lasted; else stay: it may only be under way."""
    confirmed = [one for one in unresolved if one.status == BrokerDifference.Status.OPEN]
    if not unresolved:
        after, row.agreed_at, row.detail = Status.AGREES, moment, ""
    elif confirmed:
        after, row.detail = Status.DIFFERS, " ".join(one.cause for one in confirmed)[:240]
    else:
        after = Status(row.status)
        row.detail = f"looking again at {', '.join(str(one) for one in unresolved)}"[:240]
    if after != row.status:
        row.status, row.status_at = after, moment


def _advance(row: AccountReconciliation, look: _Look) -> None:
    row.verified_fill_id = max(row.verified_fill_id, look.ours.last_fill_id)
    if look.theirs.reports:
        row.cursor = look.theirs.reports[-1].cursor


def _tell(row: AccountReconciliation, before: str, unresolved: Sequence[BrokerDifference]) -> None:
    event_record(
        kind=f"account.{'agrees' if row.status == Status.AGREES else 'differs'}",
        subject=subject_of(row.account),
        origin=ORIGIN,
        tenant_id=row.tenant_id,
        before={"status": before},
        after={"status": row.status, "differences": [one.cause for one in unresolved]},
    )
