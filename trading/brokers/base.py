"""What every broker can do for us. Nothing here is called inside a transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from portfolios.models import BrokerAccount


class BrokerUnreachableError(Exception):
    """The broker gave no answer: what was asked may or may not have happened."""


class BrokerRejectedError(Exception):
    """The broker said no. The message is its reason."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What is asked of a broker. The same `client_order_id` again is the same order.

    `quantity` shares above 0; `limit_price` None asks for a market order; `quote_source` names the prices that
    simulated brokers fill on; commission is the account's schedule, for brokers that report none of their own.
    """

    client_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    limit_price: Decimal | None
    quote_source: str
    commission_rate: Decimal
    commission_min: Decimal


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker knows it."""

    client_order_id: str
    broker_order_id: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class FillReport:
    """A fill as the broker reports it. `cursor` orders reports; `order_commission` is the order's in all so far."""

    cursor: int
    broker_fill_id: str
    client_order_id: str
    quantity: Decimal
    price: Decimal
    order_commission: Decimal | None
    as_of: dt.datetime


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the broker holds in an account: shares by symbol, and the orders' effect on cash since it was opened."""

    shares: dict[str, Decimal]
    cash_change: Decimal


class Broker(Protocol):
    """One account at a broker."""

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Place an order. Raises BrokerRejectedError or, without an answer, BrokerUnreachableError."""

    def cancel(self, client_order_id: str) -> bool:
        """Ask for an order to be cancelled; return whether it was still open."""

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return the broker's view of one order, or None where it never heard of it."""

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all orders still working."""

    def fills_since(self, cursor: int) -> Sequence[FillReport]:
        """Return reports after `cursor`, oldest first. The same report may come again."""

    def holdings(self) -> Holdings:
        """Return shares and the change of cash that the broker's own book holds."""


class BrokerFactory(Protocol):
    """Makes the broker of an account."""

    def __call__(self, account: BrokerAccount) -> Broker: ...
