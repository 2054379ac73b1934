"""What the conformance suite needs of an adapter: a fresh account, a market, and a hand on the broker's own side.

To put an adapter to the suite write a class that follows `Harness` and name it in `tests.conformance.harnesses`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import TracebackType
from typing import Protocol, Self

from portfolios.models import BrokerAccount
from trading.brokers.base import Broker, BrokerOrderStatus, OrderType

SYMBOL = "IBM"
TELLS_NO_CASH = "tells no movement of cash"


class NotSupportedError(Exception):
    """What a case asks for is not in this adapter's power. The message says why, in words for the table."""


class Harness(Protocol):
    """An adapter and the broker behind it, made anew for each case by `with Adapter() as harness`.

    `name` heads its column; `lacks` names the cases (by function name, without `case_`) that are not supported: a case
    that raises NotSupportedError and is not named here fails, and so does one that is named and passes. The account is
    empty at the start, its currency is USD, and no price is known.
    """

    name: str
    lacks: Mapping[str, str]

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    account: BrokerAccount

    @property
    def broker(self) -> Broker:
        """Return the adapter, as the registry would make it for the account."""

    @property
    def quote_source(self) -> str:
        """Return what OrderRequest.quote_source must say; empty for a broker with prices of its own."""

    def price(self, last: Decimal) -> None:
        """Move the market of SYMBOL; the broker fills in full, at `last`, every open order that it reaches.

        An order that is submitted afterwards may wait for the next call.
        """

    def fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Let the broker fill a part of an open order; it ends filled once nothing is left."""

    def garble_fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Let the broker fill a part of an open order and report it so that it cannot be read."""

    def take_fee(self, amount: Decimal) -> None:
        """Let the broker take a fee from the account apart from any fill."""

    def end(self, client_order_id: str, status: BrokerOrderStatus) -> None:
        """Let the broker end an open order by itself, CANCELLED or EXPIRED."""

    def settle_cancel(self, client_order_id: str) -> None:
        """Let the broker carry out a cancellation it was asked for; nothing to do where it did so at once."""

    def refuse_next(self) -> None:
        """Let the broker refuse the next order that is submitted."""

    def lose_next_answer(self) -> None:
        """Let the broker take the next order or cancellation and its answer be lost."""

    def drop_line(self) -> None:
        """Let the broker answer nothing until `restore_line`."""

    def restore_line(self) -> None:
        """Let the broker answer again."""


def is_reached(
    type_: str, side: str, price: Decimal, *, limit: Decimal | None = None, stop: Decimal | None = None
) -> bool:
    """Tell whether a market at `price` fills an order, for harnesses that play the broker themselves."""
    buys = side == "BUY"
    if (
        type_ in (OrderType.STOP, OrderType.STOP_LIMIT)
        and stop is not None
        and (price < stop if buys else price > stop)
    ):
        return False
    if type_ in (OrderType.LIMIT, OrderType.STOP_LIMIT) and limit is not None:
        return price <= limit if buys else price >= limit
    return True


def _is_short_of(price: Decimal, stop: Decimal, buys: bool) -> bool:
    return price < stop if buys else price > stop
