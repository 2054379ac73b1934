"""What every broker can do for us. Nothing here is called inside a transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount


class BrokerUnreachableError(Exception):
    """The broker gave no answer: what was asked may or may not have happened."""


class BrokerBusyError(BrokerUnreachableError):
    """Nothing was sent: the broker takes no more for now. What was asked has certainly not happened."""


class BrokerAccessError(BrokerUnreachableError):
    """The broker does not let the account in; nothing was done there. The message says what a person must do."""


# The code of a broker that has an order of this client order id already: it is asked about that one.
DUPLICATE_ORDER = "duplicate"


class BrokerRejectedError(Exception):
    """The broker said no. The message is its reason, `code` what kind of reason it is."""

    def __init__(self, message: str, *, code: str = "rejected") -> None:
        super().__init__(message)
        self.code = code


class OrderType(StrEnum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    """How long an order works: to the close, until cancelled, or at once or not at all."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"


class CashKind(StrEnum):
    """Why cash moved at a broker without a fill."""

    FEE = "fee"
    INTEREST = "interest"
    DIVIDEND = "dividend"
    CASH_IN_LIEU = "cash_in_lieu"
    TRANSFER = "transfer"
    OTHER = "other"


class FeeBasis(StrEnum):
    """What a fee on a day's fills is charged on: what was sold, by value or in shares, or each fill."""

    SOLD_VALUE = "sold_value"
    SOLD_SHARES = "sold_shares"
    FILLS = "fills"


class BrokerOrderStatus(StrEnum):
    """Where an order is, as its broker says it: `received` is taken and not yet at work."""

    RECEIVED = "received"
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


OPEN_STATUSES = frozenset(
    {
        BrokerOrderStatus.RECEIVED,
        BrokerOrderStatus.WORKING,
        BrokerOrderStatus.PARTIALLY_FILLED,
        BrokerOrderStatus.CANCELLING,
    }
)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a broker can do; what it cannot is refused before an intent is written.

    An order whose submission got no answer may become visible this much later, `visible_within_seconds`: until then a
    broker that does not know it is not believed.
    """

    order_types: frozenset[OrderType] = frozenset(OrderType)
    times_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    fractional_shares: bool = True
    fractional_types: frozenset[OrderType] = frozenset(OrderType)
    fractional_times_in_force: frozenset[TimeInForce] = frozenset(TimeInForce)
    immediate_types: frozenset[OrderType] = frozenset(OrderType)
    extended_hours: bool = False
    extended_hours_types: frozenset[OrderType] = frozenset(OrderType)
    streams: bool = False
    reports_commission: bool = False
    reports_cash: bool = False
    tells_cash_movements: bool = False
    visible_within_seconds: float = 30.0

    def refusal(self, request: OrderRequest) -> str:
        """Return why an order cannot be placed there, or an empty text.

        `immediate_types` are those that may be at once or not at all (IOC).
        """
        nonsense = _nonsense(request)
        if nonsense:
            return nonsense
        kind, until = _said(request.type), request.time_in_force
        if request.type not in self.order_types:
            return f"{kind} orders are not taken"
        if until not in self.times_in_force:
            return f"orders that last {until} are not taken"
        if until == TimeInForce.IOC and request.type not in self.immediate_types:
            return f"{kind} orders cannot be at once or not at all"
        if request.quantity != request.quantity.to_integral_value():
            return self._refusal_of_fraction(request)
        return self._refusal_after_hours(request)

    def _refusal_of_fraction(self, request: OrderRequest) -> str:
        if not self.fractional_shares:
            return f"{request.quantity:f} is not whole shares, and fractions are not taken"
        if request.type not in self.fractional_types:
            return f"{_said(request.type)} orders take whole shares only"
        if request.time_in_force not in self.fractional_times_in_force:
            return f"orders that last {request.time_in_force} take whole shares only"
        return self._refusal_after_hours(request)

    def _refusal_after_hours(self, request: OrderRequest) -> str:
        if not request.extended_hours:
            return ""
        if not self.extended_hours:
            return "orders outside the regular session are not taken"
        if request.type not in self.extended_hours_types or request.time_in_force != TimeInForce.DAY:
            kinds = ", ".join(sorted(_said(one) for one in self.extended_hours_types))
            return f"outside the regular session only these are taken, for a day: {kinds}"
        return ""


def _nonsense(request: OrderRequest) -> str:
    """Return what no broker could make sense of."""
    if not request.quantity.is_finite() or request.quantity <= 0:
        return f"{request.quantity} shares cannot be ordered"
    needed = {
        "limit price": request.limit_price if request.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else Decimal(1),
        "stop price": request.stop_price if request.type in (OrderType.STOP, OrderType.STOP_LIMIT) else Decimal(1),
    }
    for name, price in needed.items():
        if price is None or not price.is_finite() or price <= 0:
            return f"a {_said(request.type)} order needs a {name} above 0, not {price}"
    return ""


def _said(kind: OrderType) -> str:
    return kind.replace("_", "-")


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What is asked of a broker. The same `client_order_id` again is the same order.

    `quantity` shares above 0; `limit_price` goes with limit and stop-limit orders, `stop_price` with stop and
    stop-limit orders; `quote_source` names the prices that simulated brokers fill on; `commission` is the schedule,
    for brokers that report none of their own.
    """

    client_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False
    quote_source: str = ""
    commission: CommissionTerms = field(default_factory=CommissionTerms)
    expires_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker knows it. `filled_quantity` is shares so far, None where this answer does not say.

    `reject_code` is the kind of no of one that was rejected after it was taken, `cancel_declined` why the broker does
    not cancel one that it was asked to, empty where it did not say so.
    """

    client_order_id: str
    broker_order_id: str
    status: BrokerOrderStatus
    filled_quantity: Decimal | None = None
    symbol: str = ""
    side: str = ""
    quantity: Decimal | None = None
    detail: str = ""
    reject_code: str = ""
    cancel_declined: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it still works at the broker."""
        return self.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class FillReport:
    """A fill as the broker reports it, before anyone has checked it.

    `cursor` is what to read on from, opaque and the broker's own. `commission` is this fill's own,
    None where this broker tells none with it. `client_order_id` is empty for an order that was not placed by us.
    """

    cursor: str
    broker_fill_id: str
    client_order_id: str
    quantity: Decimal
    price: Decimal
    commission: Decimal | None
    as_of: dt.datetime
    broker_order_id: str = ""
    symbol: str = ""
    side: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class CashReport:
    """Cash that moved in an account without a fill, as the broker reports it, before anyone has checked it.

    `amount` is + into the account, `code` the broker's own word for it, `day` the day that it is about. `basis` is what
    a fee on that day's fills is charged on, None where it is not known. `as_of` is when the broker moved it.
    """

    broker_cash_id: str
    kind: CashKind
    code: str
    amount: Decimal
    day: dt.date
    as_of: dt.datetime
    currency: str
    symbol: str = ""
    description: str = ""
    basis: FeeBasis | None = None


@dataclass(frozen=True, slots=True)
class DoubtfulReport:
    """Something a broker told that its adapter cannot turn into a report: it is kept as it came, for a person.

    `content` is JSON or what reads as text, `why` a sentence, `code` what kind of fault it is. `read_from` is the
    cursor after which it would be told again, None where it is not.
    """

    content: Any
    why: str
    code: str = "unreadable"
    read_from: str | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the broker holds in an account: shares by symbol, and cash in the account's currency.

    With `is_total` False shares and cash are only what orders changed since the account was opened: a simulated
    broker knows of no deposit.
    """

    shares: dict[str, Decimal]
    cash: Decimal
    is_total: bool = True


@dataclass(frozen=True, slots=True)
class BrokerUpdate:
    """Something a broker's stream tells: an order's state, a fill, or both.

    With nothing it says that the line is alive. `doubtful` is a message that could not be read: it is kept, and what
    it would have told is learned by asking.
    """

    order: BrokerOrder | None = None
    fill: FillReport | None = None
    doubtful: DoubtfulReport | None = None


class Broker(Protocol):
    """One account at a broker."""

    capabilities: Capabilities

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Place an order. Raises BrokerRejectedError or, without an answer, BrokerUnreachableError."""

    def cancel(self, client_order_id: str) -> bool:
        """Ask for an order to be cancelled; return whether it was still open. The end is learned by asking."""

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return the broker's view of one order, or None where it never heard of it."""

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all orders still working."""

    def fills_since(self, cursor: str) -> Sequence[FillReport | DoubtfulReport]:
        """Return reports after `cursor` (empty: from the beginning), oldest first. The same report may come again.

        One that cannot be read is handed over as a DoubtfulReport and stands in the way of no other.
        """

    def cash_since(self, moment: dt.datetime) -> Sequence[CashReport | DoubtfulReport]:
        """Return what moved cash without a fill from a while before `moment` on. The same report may come again.

        A broker whose capabilities say that it does not tell them returns nothing.
        """

    def holdings(self) -> Holdings:
        """Return shares and cash that the broker's own book holds."""

    def stream(self) -> Iterator[BrokerUpdate]:
        """Yield what happens as it happens, until closed. Raises BrokerUnreachableError when the line is lost.

        A broker whose capabilities say that it does not stream yields nothing.
        """


class BrokerFactory(Protocol):
    """Makes the broker of an account."""

    def __call__(self, account: BrokerAccount) -> Broker: ...
