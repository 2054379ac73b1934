"""Finding where broker and books differ, and keeping each difference as a row with its cause and age."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from portfolios.models import BrokerAccount
from trading.brokers.base import Broker
from trading.models import BrokerCash, BrokerDifference, Fill, HeldFill, Order
from trading.services.broker_views import BrokerView, OwnView
from volbal.common.numbers import ZERO

Kind, Status = BrokerDifference.Kind, BrokerDifference.Status
# A difference is confirmed when it is still there this long after it was first seen: what is under way has arrived.
CONFIRM_SECONDS = 5
# An order this young may not be listed yet.
SETTLE_SECONDS = 10
# As many movements of cash as a cause has room for.
MOST_NAMED = 2
AT_BROKER = (Order.Status.SUBMITTED, Order.Status.ACCEPTED, Order.Status.PARTIALLY_FILLED, Order.Status.CANCELLING)


@dataclass(frozen=True, slots=True)
class Found:
    """A difference as one check found it."""

    kind: str
    subject: str
    cause: str
    ours: Decimal | None = None
    theirs: Decimal | None = None


def differences_find(
    account: BrokerAccount,
    broker: Broker,
    theirs: BrokerView,
    ours: OwnView,
    *,
    verified_fill_id: int,
    moment: dt.datetime,
) -> list[Found]:
    """Compare orders, fills, shares and cash. Asks the broker about single orders: call it outside a transaction.

    Raises BrokerUnreachableError.
    """
    return [
        *_of_orders(account, broker, theirs, moment),
        *_of_fills(account, theirs, verified_fill_id),
        *_of_holdings(account, theirs, ours),
    ]


def _of_orders(account: BrokerAccount, broker: Broker, theirs: BrokerView, moment: dt.datetime) -> Iterator[Found]:
    listed = {order.client_order_id: order for order in theirs.open_orders}
    settled = moment - dt.timedelta(seconds=SETTLE_SECONDS)
    working = Order.objects.filter(account=account, status__in=AT_BROKER, status_at__lt=settled)
    for order in working.exclude(client_order_id__in=listed).order_by("id"):
        # What has ended is brought up to date by the sender; what was never there is a difference.
        if broker.order(order.client_order_id) is None:
            what = f"{order.side.lower()} {order.quantity:f} is {order.status}"
            cause = f"Our order to {what}; the broker does not know it."
            yield Found(Kind.ORDER_MISSING, order.client_order_id, cause)
    known = set(Order.objects.filter(client_order_id__in=listed).values_list("client_order_id", flat=True))
    for client_order_id, foreign in listed.items():
        if client_order_id not in known:
            what = f"{foreign.side.lower()} {foreign.quantity or ZERO:f} {foreign.symbol}".strip()
            name = client_order_id or foreign.broker_order_id
            yield Found(Kind.ORDER_FOREIGN, name, f"The broker works an order to {what} that we did not place.")


def _of_fills(account: BrokerAccount, theirs: BrokerView, verified_fill_id: int) -> Iterator[Found]:
    reported = {report.broker_fill_id: report for report in theirs.reports}
    booked = set(
        Fill.objects.filter(account=account, broker_fill_id__in=reported).values_list("broker_fill_id", flat=True)
    )
    held = set(
        HeldFill.objects.filter(account=account, broker_fill_id__in=reported).values_list("broker_fill_id", flat=True)
    )
    for fill_id, report in reported.items():
        # A fill held for a person is on that person's list; what it changed shows in shares and cash.
        if fill_id not in booked | held:
            what = f"{report.side.lower()} {report.quantity} {report.symbol} at {report.price}"
            yield Found(Kind.FILL_UNBOOKED, fill_id, f"The broker reports {what}, which no order of ours has booked.")
    newer = Fill.objects.filter(account=account, pk__gt=verified_fill_id).exclude(broker_fill_id__in=reported)
    for fill in newer.select_related("order").order_by("id"):
        what = f"{fill.order.side.lower()} {fill.quantity:f} at {fill.price:f}"
        yield Found(Kind.FILL_MISSING, fill.broker_fill_id, f"We booked {what}; the broker does not report it.")


def _of_holdings(account: BrokerAccount, theirs: BrokerView, ours: OwnView) -> Iterator[Found]:
    accepted = accepted_offsets(account)
    scope = "in the account" if theirs.holdings.is_total else "by our orders"
    offset = {subject for kind, subject in accepted if kind == Kind.SHARES}
    for symbol in sorted({*theirs.holdings.shares, *ours.shares, *offset}):
        have, said = ours.shares.get(symbol, ZERO), theirs.holdings.shares.get(symbol, ZERO)
        if said - have != accepted.get((Kind.SHARES, symbol), ZERO):
            cause = (
                f"{scope.capitalize()} the broker has {said.normalize():f} {symbol}, our books {have.normalize():f}."
            )
            yield Found(Kind.SHARES, symbol, cause, have, said)
    said, have = theirs.holdings.cash, ours.cash
    if said - have != accepted.get((Kind.CASH, account.currency), ZERO):
        cause = f"{scope.capitalize()} the broker has {said:,.2f} {account.currency}, our books {have:,.2f}."
        cause += _explained(account)
        yield Found(Kind.CASH, account.currency, cause, have, said)


def _explained(account: BrokerAccount) -> str:
    """Return what the broker told of cash and nobody has settled, as the rest of a cause."""
    waiting = list(BrokerCash.objects.filter(account=account, status=BrokerCash.Status.OPEN).order_by("day", "id"))
    if not waiting:
        return ""
    more = f" and {len(waiting) - MOST_NAMED} more" if len(waiting) > MOST_NAMED else ""
    named = ", ".join(str(one) for one in waiting[:MOST_NAMED])
    return f" It tells of {named}{more}, which wait{'s' if len(waiting) == 1 else ''} in Broker cash."


def accepted_offsets(account: BrokerAccount) -> dict[tuple[str, str], Decimal]:
    """Return by how much the broker may have more than we, as people accepted it: by kind and subject.

    The newest acceptance of a subject counts: it was made with the earlier ones in view.
    """
    rows = BrokerDifference.objects.filter(account=account, status=Status.ACCEPTED, kind__in=[Kind.SHARES, Kind.CASH])
    return {(row.kind, row.subject): row.amount or ZERO for row in rows.order_by("id")}


def differences_keep(*, account: BrokerAccount, found: Iterable[Found], moment: dt.datetime) -> list[BrokerDifference]:
    """Store what a check found and return all that is unresolved; call it with the account's check locked.

    What is no longer there is healed. What a person accepted by its id stays accepted.
    """
    by_id = [Kind.ORDER_MISSING, Kind.ORDER_FOREIGN, Kind.FILL_UNBOOKED, Kind.FILL_MISSING]
    accepted = set(
        BrokerDifference.objects.filter(account=account, status=Status.ACCEPTED, kind__in=by_id).values_list(
            "kind", "subject"
        )
    )
    now = {(one.kind, one.subject): one for one in found if (one.kind, one.subject) not in accepted}
    kept = []
    for row in BrokerDifference.objects.filter(account=account, status__in=BrokerDifference.UNRESOLVED):
        seen = now.pop((row.kind, row.subject), None)
        if seen is None:
            row.status, row.resolved_at = Status.HEALED, moment
        else:
            _see_again(row, seen, moment)
            kept.append(row)
        row.save()
    fresh = [_row(account, one, moment) for one in now.values()]
    return [*kept, *BrokerDifference.objects.bulk_create(fresh)]


def _see_again(row: BrokerDifference, seen: Found, moment: dt.datetime) -> None:
    same = (row.ours, row.theirs) == (seen.ours, seen.theirs)
    if not same:
        # Another amount is another difference: it has to last by itself.
        row.first_seen_at = moment if row.status == Status.SUSPECTED else row.first_seen_at
    row.ours, row.theirs, row.cause = seen.ours, seen.theirs, seen.cause
    row.last_seen_at, row.seen_count = moment, row.seen_count + 1
    if (moment - row.first_seen_at).total_seconds() >= CONFIRM_SECONDS:
        row.status = Status.OPEN


def _row(account: BrokerAccount, found: Found, moment: dt.datetime) -> BrokerDifference:
    return BrokerDifference(
        tenant_id=account.tenant_id,
        account=account,
        kind=found.kind,
        subject=found.subject,
        ours=found.ours,
        theirs=found.theirs,
        cause=found.cause[:240],
        first_seen_at=moment,
        last_seen_at=moment,
    )
