"""Cash that moves at a broker without a fill: kept as it is told, and booked where it is certain whose it is.

Fees on a day's fills are the cells' that had them, shared by what the fee is charged on; interest, and fees of a day
without fills, are the account's own. Everything else waits for a person: deposits and dividends are in our books by
other ways already, or belong to a cell that only a person knows. Until then it explains the difference that it makes.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from portfolios.models import BrokerAccount, Cell, LedgerEntry
from portfolios.services.changes import changing
from portfolios.services.checks import require_not_archived, require_reason
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from trading.brokers.base import Broker, CashReport, DoubtfulReport, FeeBasis
from trading.marketdata.calendars import exchange_calendar
from trading.models import BrokerCash, Fill, Order
from trading.services.fills import halt_if_negative
from trading.services.marks import mark_refresh
from trading.services.positions import position_of
from trading.services.refusals import doubtful_keep, report_refuse
from trading.services.report_checks import MOST_VALUE, Refusal
from volbal.common import numbers
from volbal.common.errors import Refused
from volbal.common.numbers import CENT, ZERO

ORIGIN = Origin(task="broker cash")
Entry, Kind, Status = LedgerEntry.Kind, BrokerCash.Kind, BrokerCash.Status
DAY = dt.timedelta(days=1)
# What was told in so many fields never changes.
TOLD = ("kind", "code", "amount", "day", "symbol")


def cash_collect(*, account: BrokerAccount, broker: Broker) -> list[BrokerCash]:
    """Take what the broker tells of cash since the last time; return what was new. Raises BrokerUnreachableError."""
    if not broker.capabilities.tells_cash_movements:
        return []
    newest = BrokerCash.objects.filter(account=account).aggregate(newest=Max("as_of"))["newest"]
    taken = []
    for told in broker.cash_since(newest or account.created_at):
        if isinstance(told, DoubtfulReport):
            doubtful_keep(account=account, told=told)
        elif (row := cash_take(account=account, report=told)) is not None:
            taken.append(row)
    return taken


def cash_take(*, account: BrokerAccount, report: CashReport) -> BrokerCash | None:
    """Keep a movement of cash once and book it where it is certain whose it is; return it where it was new.

    One that cannot be true, or is told otherwise than before, is refused and kept.
    """
    refusal = _refusal(account, report)
    if refusal is None:
        with transaction.atomic():
            row, is_new = BrokerCash.objects.get_or_create(
                account=account, broker_cash_id=report.broker_cash_id, defaults=_columns(account, report)
            )
            if is_new:
                _book_certain(row)
                return row
        if all(getattr(row, name) == value for name, value in _columns(account, report).items() if name in TOLD):
            return None
        refusal = Refusal("differs", f"{row} was told otherwise before; that one stands.")
    report_refuse(account=account, payload=report, code=refusal.code, sentence=refusal.sentence)
    return None


def cash_book(*, movement: BrokerCash, origin: Origin, cell: Cell | None = None) -> BrokerCash:
    """Book a movement that waits for a person on a cell, or on the account's own cash.

    Raises Refused without a reason, for one that is settled, for a cell of another account and an archived one.
    """
    require_reason(origin, "Booking cash that the broker moved")
    with transaction.atomic():
        row = _settle(movement, Status.BOOKED, origin)
        if cell is not None:
            require_not_archived(cell)
            if cell.portfolio.account_id != row.account_id:
                raise Refused(f"{cell} is not in {row.account}, where the cash moved.", code="other_account")
        _post(row, cell, row.amount, origin)
    movement.refresh_from_db()
    return movement


def cash_known(*, movement: BrokerCash, origin: Origin) -> BrokerCash:
    """Put a movement away that is in our books already, for a reason. Raises Refused for one that is settled."""
    require_reason(origin, "Leaving cash that the broker moved out of the books")
    with transaction.atomic():
        _settle(movement, Status.KNOWN, origin)
    movement.refresh_from_db()
    return movement


def cash_shares(amount: Decimal, weights: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """Share an amount by weights above 0, to the cent, so that the shares add up to it; what is left over goes to those
    who were rounded down most, the first of them where they are alike."""
    whole = sum(weights.values(), ZERO)
    exact = {key: amount * weight / whole for key, weight in sorted(weights.items())}
    rounded = {key: share.quantize(CENT, rounding="ROUND_DOWN") for key, share in exact.items()}
    left = int((amount - sum(rounded.values(), ZERO)) / CENT)
    step = CENT if left > 0 else -CENT
    for key in sorted(exact, key=lambda one: (-abs(exact[one] - rounded[one]), one))[: abs(left)]:
        rounded[key] += step
    return rounded


def _refusal(account: BrokerAccount, report: CashReport) -> Refusal | None:
    if not report.broker_cash_id or len(report.broker_cash_id) > 80:
        return Refusal("bad_id", "It has no id that could be kept.")
    if not report.amount.is_finite() or abs(report.amount) > MOST_VALUE:
        return Refusal("value", f"{report.amount} of cash cannot be.")
    if report.currency != account.currency:
        return Refusal("currency", f"It is in {report.currency}; {account.name} is kept in {account.currency}.")
    return None


def _columns(account: BrokerAccount, report: CashReport) -> dict[str, object]:
    return {
        "tenant_id": account.tenant_id,
        "kind": Kind(report.kind),
        "code": report.code[:20],
        "amount": numbers.money(report.amount),
        "day": report.day,
        "symbol": report.symbol[:20],
        "description": report.description[:240],
        "basis": report.basis or "",
        "as_of": report.as_of,
    }


def _book_certain(row: BrokerCash) -> None:
    if row.kind == Kind.FEE:
        weights = _weights(row)
        cells = {cell.pk: cell for cell in Cell.objects.filter(pk__in=weights)}
        shares = cash_shares(row.amount, weights) if weights else {}
        for cell_id, share in sorted(shares.items()):
            if share:
                _post(row, cells[cell_id], share, ORIGIN)
        if not weights:
            _post(row, None, row.amount, ORIGIN)
    elif row.kind == Kind.INTEREST:
        _post(row, None, row.amount, ORIGIN)
    else:
        return
    row.status = Status.BOOKED
    row.save(update_fields=["status"])


def _weights(row: BrokerCash) -> dict[int, Decimal]:
    """Return what each cell had that a fee of the day is charged on; where it had none of that, what it traded."""
    fills = list(_fills_of_day(row))
    for basis in (row.basis, ""):
        weights: dict[int, Decimal] = defaultdict(Decimal)
        for fill in fills:
            weights[fill.order.cell_id] += _weight(fill, basis)
        found = {cell_id: weight for cell_id, weight in weights.items() if weight > 0}
        if found:
            return found
    return {}


def _weight(fill: Fill, basis: str) -> Decimal:
    if basis == FeeBasis.FILLS:
        return Decimal(1)
    if basis in (FeeBasis.SOLD_VALUE, FeeBasis.SOLD_SHARES) and fill.order.side != Order.Side.SELL:
        return ZERO
    return Decimal(fill.quantity if basis == FeeBasis.SOLD_SHARES else fill.notional)


def _fills_of_day(row: BrokerCash) -> Iterator[Fill]:
    """Yield the account's fills of the exchange's day that a movement is about."""
    began = dt.datetime.combine(row.day, dt.time(), dt.UTC)
    around = Fill.objects.filter(account=row.account_id, as_of__gte=began - DAY, as_of__lt=began + 2 * DAY)
    for fill in around.select_related("order__cell__instrument").order_by("id"):
        if exchange_calendar(fill.order.cell.instrument.exchange).day_of(fill.as_of) == row.day:
            yield fill


def _post(row: BrokerCash, cell: Cell | None, amount: Decimal, origin: Origin) -> None:
    """Book an amount on a cell, or on the account's own cash. What a broker moved is a fact, and may leave less than
    nothing."""
    whose = "account" if cell is None else f"cell:{cell.pk}"
    movement = Movement(
        kind=_entry_kind(row), key=f"broker_cash:{row.pk}:{whose}", cash=amount, note=row.description or row.code
    )
    owner: BrokerAccount | Cell = row.account if cell is None else cell
    with changing(owner, kind="broker_cash.booked", origin=origin, as_of=row.as_of) as change:
        book(account=row.account, owner=change.row, movements=[movement], as_of=row.as_of, origin=origin)
        change.details |= {"broker_cash": row.pk, "amount": amount, "code": row.code}
        if isinstance(change.row, Cell):
            halt_if_negative(change.row, position_of(change.row))
            mark_refresh(cell=change.row)


def _entry_kind(row: BrokerCash) -> str:
    if row.kind == Kind.TRANSFER:
        return Entry.DEPOSIT if row.amount > 0 else Entry.WITHDRAWAL
    return {
        Kind.FEE: Entry.FEE,
        Kind.INTEREST: Entry.INTEREST,
        Kind.DIVIDEND: Entry.DIVIDEND,
        Kind.CASH_IN_LIEU: Entry.CASH_IN_LIEU,
    }.get(Kind(row.kind), Entry.ADJUSTMENT)


def _settle(movement: BrokerCash, status: BrokerCash.Status, origin: Origin) -> BrokerCash:
    with changing(movement, kind=f"broker_cash.{status}", origin=origin, as_of=movement.as_of) as change:
        row = change.row
        if row.status != Status.OPEN:
            raise Refused(f"{row} is settled: {row.get_status_display().lower()}.", code="resolved")
        row.status, row.resolved_by_id, row.reason = status, origin.actor_id, origin.reason
    return row
