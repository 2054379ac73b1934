"""Fills and holdings as a broker reports them over our API: kept once, whatever is repeated, and answered alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import transaction

from portfolios.models import BrokerAccount
from portfolios.services.amounts import cash_amount, told_share_amount
from portfolios.services.changes import lock
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.brokers.api.states import api_order_move
from trading.brokers.base import FillReport
from trading.models import ApiFill, ApiHoldings, ApiOrder, Order
from trading.services.refusals import report_refuse
from trading.services.report_checks import AHEAD_SECONDS, Refusal, fill_kept, fill_refusal
from volbal.common import clock
from volbal.common.clock import require_aware
from volbal.common.errors import Refused
from volbal.common.tenancy import require_tenant

S = ApiOrder.State
# One request is one transaction, and holds the account while it lasts.
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ApiFillAnswer:
    """What the broker is told about one of its reports: `code` is empty where it was taken, now or before."""

    broker_fill_id: str
    code: str = ""
    message: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether the report stands in our books' sources."""
        return self.code == ""


def api_fills_report(
    *, account: BrokerAccount, reports: Sequence[FillReport], origin: Origin
) -> tuple[ApiFillAnswer, ...]:
    """Take one or many fills, each by the broker's own id; return an answer for each, the same whenever it is repeated.

    What a report leaves out (symbol, side, currency) is taken from its order. One that makes no sense is refused
    and kept for a person, and stands in the way of no other. Fills of orders that we never laid out are kept too, and
    held for a person when they are read. Raises Refused for more than MOST_AT_ONCE.
    """
    require_tenant(account.tenant_id)
    if len(reports) > MOST_AT_ONCE:
        raise Refused(f"{len(reports)} fills in one report; expected at most {MOST_AT_ONCE}.", code="too_many")
    with transaction.atomic():
        # Fills of an account are recorded one after another: their ids are the cursor of those who read them, and an
        # id that is committed after a higher one would never be read.
        lock(account)
        orders = _orders(account, reports)
        known = _known(account, (report.broker_fill_id for report in reports))
        ours = {
            one.client_order_id: one
            for one in Order.objects.filter(account=account, client_order_id__in=orders).select_related(
                "cell__instrument"
            )
        }
        answers = [_take(account, report, orders, ours, known) for report in reports]
        taken = [answer.broker_fill_id for answer, is_new in answers if is_new]
        if taken:
            event_record(
                kind="api_fills.reported",
                subject=subject_of(account),
                origin=origin,
                tenant_id=account.tenant_id,
                after={"broker_fill_ids": taken},
            )
    return tuple(answer for answer, _ in answers)


def api_holdings_publish(
    *, account: BrokerAccount, shares: Mapping[str, Decimal], cash: Decimal, as_of: dt.datetime, origin: Origin
) -> ApiHoldings:
    """Record what the broker holds at `as_of`: shares by symbol and cash. The same again is the same row.

    Raises Refused for numbers that cannot be, a time ahead of ours, and other holdings for the same moment.
    """
    require_tenant(account.tenant_id)
    held = {
        symbol: format(told_share_amount(symbol, number).normalize(), "f") for symbol, number in sorted(shares.items())
    }
    money = cash_amount("cash", cash, least=None)
    if require_aware(as_of, "as_of") > clock.now() + dt.timedelta(seconds=AHEAD_SECONDS):
        raise Refused(f"as_of is {as_of.isoformat()}, which is ahead of our clock.", code="future")
    with transaction.atomic():
        lock(account)
        before = ApiHoldings.objects.filter(account=account, as_of=as_of).first()
        if before is not None:
            if (before.shares, before.cash) != (held, money):
                raise Refused(
                    f"Other holdings were told for {as_of.isoformat()} before; both are kept as they were.",
                    code="differs",
                )
            return before
        told = ApiHoldings.objects.create(
            tenant_id=account.tenant_id, account=account, shares=held, cash=money, as_of=as_of
        )
        event_record(
            kind="api_holdings.published", subject=subject_of(account), origin=origin, tenant_id=account.tenant_id,
            after={"holdings": told.pk}, as_of=as_of,
        )  # fmt: skip
    return told


def _orders(account: BrokerAccount, reports: Iterable[FillReport]) -> dict[str, ApiOrder]:
    """Return the orders that reports belong to, held until the transaction ends."""
    ids = {report.client_order_id for report in reports if report.client_order_id}
    rows = ApiOrder.objects.select_for_update(no_key=True).filter(account=account, client_order_id__in=ids)
    return {order.client_order_id: order for order in rows.order_by("id")}


def _known(account: BrokerAccount, fill_ids: Iterable[str]) -> dict[str, ApiFill]:
    rows = ApiFill.objects.filter(account=account, broker_fill_id__in=list(fill_ids))
    return {fill.broker_fill_id: fill for fill in rows}


def _take(
    account: BrokerAccount,
    report: FillReport,
    orders: dict[str, ApiOrder],
    ours: dict[str, Order],
    known: dict[str, ApiFill],
) -> tuple[ApiFillAnswer, bool]:
    """Return the answer to one report, and whether it was new."""
    order = orders.get(report.client_order_id)
    whole = _completed(account, report, order)
    refusal = fill_refusal(account, whole, ours.get(report.client_order_id)) or _mismatch(whole, order)
    before = known.get(report.broker_fill_id)
    if refusal is None and before is not None and _content(before) != _content(fill_kept(whole)):
        refusal = Refusal("differs", f"Fill {report.broker_fill_id} was reported otherwise before; that one stands.")
    if refusal is not None:
        report_refuse(account=account, payload=report, code=refusal.code, sentence=refusal.sentence)
        return ApiFillAnswer(report.broker_fill_id, refusal.code, refusal.sentence), False
    if before is None:
        known[report.broker_fill_id] = _record(account, fill_kept(whole), order)
    return ApiFillAnswer(report.broker_fill_id), before is None


def _completed(account: BrokerAccount, report: FillReport, order: ApiOrder | None) -> FillReport:
    currency = report.currency or account.currency
    if order is None:
        return replace(report, currency=currency)
    return replace(report, currency=currency, symbol=report.symbol or order.symbol, side=report.side or order.side)


def _mismatch(report: FillReport, order: ApiOrder | None) -> Refusal | None:
    if order is None or (report.symbol, report.side) == (order.symbol, order.side):
        return None
    said, is_ = f"{report.side} {report.symbol}", f"{order.side} {order.symbol}"
    return Refusal("mismatch", f"It says {said}; order {order.client_order_id} is {is_}.")


def _content(fill: ApiFill | FillReport) -> tuple[object, ...]:
    return fill.client_order_id, fill.symbol, fill.side, fill.quantity, fill.price, fill.commission, fill.as_of


def _record(account: BrokerAccount, report: FillReport, order: ApiOrder | None) -> ApiFill:
    fill = ApiFill.objects.create(
        tenant_id=account.tenant_id,
        account=account,
        order=order,
        broker_fill_id=report.broker_fill_id,
        client_order_id=report.client_order_id,
        broker_order_id=report.broker_order_id,
        symbol=report.symbol,
        side=report.side,
        quantity=report.quantity,
        price=report.price,
        currency=report.currency,
        commission=report.commission,
        as_of=report.as_of,
    )
    if order is not None:
        _advance(order, report)
    return fill


def _advance(order: ApiOrder, report: FillReport) -> None:
    order.filled_quantity += report.quantity
    order.broker_order_id = order.broker_order_id or report.broker_order_id
    if order.filled_quantity >= order.quantity and order.state != S.FILLED:
        api_order_move(order, S.FILLED)
    elif order.is_open and order.state != S.CANCEL_ASKED and order.filled_quantity < order.quantity:
        api_order_move(order, S.PARTIALLY_FILLED)
    order.save(update_fields=["filled_quantity", "broker_order_id", "state", "state_at", "code", "detail"])
