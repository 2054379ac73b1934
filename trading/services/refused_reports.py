"""What a person does with reports that were refused: try again, or dismiss."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.dateparse import parse_datetime

from portfolios.services.changes import changing
from portfolios.services.checks import require_reason
from portfolios.services.origin import Origin
from trading.brokers.base import (
    BrokerOrder,
    BrokerOrderStatus,
    BrokerUnreachableError,
    CashKind,
    CashReport,
    FeeBasis,
    FillReport,
)
from trading.brokers.registry import broker_of
from trading.models import FillCursor, RefusedReport
from trading.services.broker_cash import cash_take
from trading.services.broker_updates import broker_order_apply
from trading.services.fills import fill_book
from trading.services.orders import fills_collect
from volbal.common.errors import Refused

Status = RefusedReport.Status
STATUSES = {str(one): one for one in BrokerOrderStatus}


def refused_report_dismiss(*, report: RefusedReport, origin: Origin) -> RefusedReport:
    """Put a refused report away for a reason; it is kept. Raises Refused for one that is no longer open."""
    require_reason(origin, "Dismissing a report")
    with changing(report, kind="report.dismissed", origin=origin) as change:
        _require_open(change.row)
        change.row.status, change.row.reason = Status.DISMISSED, origin.reason
    return report


def refused_report_retry(*, report: RefusedReport, origin: Origin) -> RefusedReport:
    """Take a refused report as if it came now, as it came: what was wrong may have passed, a clock or a price.

    Taken, it is booked, or held for a person where it belongs to no order of ours. One that could not be read is asked
    for again, with all that was reported since. Raises Refused, saying why, where it is refused again.
    """
    _require_open(report)
    before = report.repetitions
    _take(report)
    report.refresh_from_db()
    if report.repetitions != before:
        raise Refused(f"It is refused as before. {report.sentence}", code=report.code)
    with changing(report, kind="report.taken", origin=origin) as change:
        _require_open(change.row)
        change.row.status = Status.BOOKED
    return report


def _require_open(report: RefusedReport) -> None:
    if report.status != Status.OPEN:
        raise Refused(f"This report was {report.get_status_display().lower()} before.", code="resolved")


def _take(report: RefusedReport) -> None:
    kind, account = report.payload.get("kind"), report.account
    if kind == "fill":
        fill_book(account=account, report=_fill(report.payload))
    elif kind == "order":
        broker_order_apply(account=account, told=_order(report.payload))
    elif kind == "cash":
        cash_take(account=account, report=_cash(report.payload))
    elif report.payload.get("read_from") is not None:
        _read_again(report)
    else:
        raise Refused(
            "It could not even be read, and is not told again, so that it cannot be tried again.",
            code="unreadable",
            hint="Compare the account with its broker, then dismiss it.",
        )


def _read_again(report: RefusedReport) -> None:
    """Read the broker's reports from before this one: what is booked stays so, each by its own id."""
    FillCursor.objects.filter(account=report.account).update(position=report.payload["read_from"])
    try:
        fills_collect(account=report.account, broker=broker_of(report.account))
    except BrokerUnreachableError as silence:
        raise Refused(f"The broker does not answer: {silence}.", code="no_answer") from None


def _fill(payload: Mapping[str, Any]) -> FillReport:
    values = {name: value for name, value in payload.items() if name != "kind"}
    values |= {name: _decimal(values[name]) for name in ("quantity", "price", "commission")}
    return FillReport(**(values | {"as_of": _moment(values["as_of"])}))


def _order(payload: Mapping[str, Any]) -> BrokerOrder:
    values = {name: value for name, value in payload.items() if name != "kind"}
    values |= {name: _decimal(values[name]) for name in ("filled_quantity", "quantity")}
    return BrokerOrder(**(values | {"status": STATUSES.get(values["status"], values["status"])}))


def _cash(payload: Mapping[str, Any]) -> CashReport:
    values = {name: value for name, value in payload.items() if name != "kind"}
    basis = None if values["basis"] is None else FeeBasis(values["basis"])
    day, as_of = dt.date.fromisoformat(values["day"]), _moment(values["as_of"])
    kind = CashKind(values.pop("cash_kind"))
    amount = _decimal(values["amount"])
    return CashReport(**(values | {"kind": kind, "basis": basis, "day": day, "as_of": as_of, "amount": amount}))


def _decimal(text: Any) -> Any:
    """Return a number as it was reported; what was none stays the text it is, to be refused again."""
    try:
        return None if text is None else Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        return text


def _moment(text: Any) -> dt.datetime | Any:
    try:
        return parse_datetime(text) or text
    except (TypeError, ValueError):
        return text
