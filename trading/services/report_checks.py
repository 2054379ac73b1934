"""Whether a broker's report of a fill can be true. What cannot is refused with a reason and never booked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils import timezone

from portfolios.models import BrokerAccount
from trading.brokers.base import FillReport
from trading.models import Order, Quote
from volbal.common import clock, numbers
from volbal.common.tenancy import every_tenant

MOST_SHARES = Decimal(10) ** 9
MOST_PRICE = Decimal(10) ** 8
MOST_VALUE = Decimal(10) ** 13
# A price this many times above or below what is known of the instrument is a broken number, not a market.
MOST_TIMES = 25
# How far a broker's clock may be ahead of ours.
AHEAD_SECONDS = 5
ID_LENGTH = 64
SYMBOL_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a report is not taken: a stable code, and a sentence for a person."""

    code: str
    sentence: str


def fill_refusal(account: BrokerAccount, report: FillReport, order: Order | None) -> Refusal | None:
    """Return the first reason for which a report of a fill cannot be taken, None where it can.

    `order` is ours that it belongs to, None where there is none.
    """
    return next(_reasons(account, report, order), None)


def fill_kept(report: FillReport) -> FillReport:
    """Return a checked report with its numbers as they are kept: price to 1e-6, shares as finely as a broker tells."""
    return replace(report, quantity=numbers.exact_shares(report.quantity), price=numbers.price(report.price))


def _reasons(account: BrokerAccount, report: FillReport, order: Order | None) -> Iterator[Refusal]:
    yield from _ids(report)
    yield from _amounts(report)
    yield from _time(report.as_of, clock.now() if order is None else max(clock.now(), order.as_of))
    if report.currency and report.currency != account.currency:
        yield Refusal("currency", f"It is in {report.currency}; {account.name} is kept in {account.currency}.")
    if report.side not in ("", *Order.Side.values):
        yield Refusal("side", f"The side {report.side!r} is neither BUY nor SELL.")
    yield from _stranger(account, report) if order is None else _of_order(report, order)
    yield from _price(report, _known_price(report, order))


def _ids(report: FillReport) -> Iterator[Refusal]:
    names = ("broker_fill_id", "client_order_id", "broker_order_id")
    for name in names:
        value = getattr(report, name)
        if not isinstance(value, str) or len(value) > ID_LENGTH or not value.isprintable():
            yield Refusal("bad_id", f"{name} is no text of at most {ID_LENGTH} characters.")
    if len(report.symbol) > SYMBOL_LENGTH:
        yield Refusal("symbol", f"No symbol is longer than {SYMBOL_LENGTH} characters.")
    if not report.broker_fill_id:
        yield Refusal("missing_id", "It has no id of its own, so that it could not be told from a repetition.")


def _amounts(report: FillReport) -> Iterator[Refusal]:
    quantity, price, commission = report.quantity, report.price, report.commission
    if not _within(quantity, MOST_SHARES) or numbers.exact_shares(quantity) <= 0:
        yield Refusal("quantity", f"{quantity} shares cannot be; expected more than 0 and at most {MOST_SHARES:,f}.")
    elif not _within(price, MOST_PRICE) or numbers.price(price) <= 0:
        yield Refusal("price", f"A price of {price} cannot be; expected 0.000001 to {MOST_PRICE:,f}.")
    elif quantity * price > MOST_VALUE:
        yield Refusal("value", f"{quantity:,f} at {price:,f} is worth more than {MOST_VALUE:,f}.")
    if commission is not None and not _within(commission, MOST_VALUE):
        yield Refusal("commission", f"A commission of {commission} cannot be.")


def _within(value: Decimal, most: Decimal) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and abs(value) <= most


def _time(as_of: dt.datetime, known: dt.datetime) -> Iterator[Refusal]:
    """Yield why a fill's time cannot be; `known` is now, or the time of its order where that has one of its own."""
    if not isinstance(as_of, dt.datetime) or timezone.is_naive(as_of):
        yield Refusal("naive_time", f"Its time {as_of} says no zone.")
    elif as_of > known + dt.timedelta(seconds=AHEAD_SECONDS):
        ahead = (as_of - known).total_seconds()
        yield Refusal("future", f"Its time is {ahead:,.0f} s ahead of ours: one of the two clocks is wrong.")


def _of_order(report: FillReport, order: Order) -> Iterator[Refusal]:
    if report.side and report.side != order.side:
        yield Refusal("side", f"It says {report.side}; order {order.client_order_id} is to {order.side}.")


def _stranger(account: BrokerAccount, report: FillReport) -> Iterator[Refusal]:
    """Yield why a report without an order of ours cannot even be held for a person."""
    if report.client_order_id and _is_of_another(account, report.client_order_id):
        yield Refusal("other_account", f"Order {report.client_order_id} is not of {account.name}.")
    if numbers.shares(report.quantity) == 0:
        yield Refusal("quantity", f"{report.quantity:f} shares without an order of ours are less than can be held.")
    if not report.symbol or not report.side:
        yield Refusal("unnamed", "It belongs to no order of ours and does not say what was traded, or which way.")


def _is_of_another(account: BrokerAccount, client_order_id: str) -> bool:
    with every_tenant():
        return Order.objects.filter(client_order_id=client_order_id).exclude(account_id=account.pk).exists()


def _known_price(report: FillReport, order: Order | None) -> Decimal | None:
    """Return what the instrument is known to cost: the order's own price, else its newest quote."""
    if order is None:
        quotes = Quote.objects.filter(instrument__symbol=report.symbol)
    else:
        for known in (order.decision_price, order.limit_price, order.stop_price):
            if known is not None:
                return Decimal(known)
        quotes = Quote.objects.filter(instrument_id=order.cell.instrument_id, source=order.quote_source)
    return quotes.exclude(price=None).order_by("-as_of").values_list("price", flat=True).first()


def _price(report: FillReport, known: Decimal | None) -> Iterator[Refusal]:
    if known is not None and not known / MOST_TIMES <= report.price <= known * MOST_TIMES:
        yield Refusal(
            "price", f"A price of {report.price:,f} is more than {MOST_TIMES} times off the {known:,f} that is known."
        )
