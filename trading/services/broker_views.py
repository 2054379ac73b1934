"""An account as its broker sees it, and as our books have it, in the same terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import F, Sum

from portfolios.models import BrokerAccount, Cell, LedgerEntry
from trading.brokers.base import Broker, BrokerOrder, FillReport, Holdings
from trading.models import Fill, Order
from volbal.common import numbers
from volbal.common.numbers import CENT, MICRO, ZERO

# What an order did to an account: the entries of its fills.
OF_ORDERS = "fill:"


@dataclass(frozen=True, slots=True)
class BrokerView:
    """What a broker says of an account: open orders, holdings, and reports since those that were verified."""

    open_orders: Sequence[BrokerOrder]
    holdings: Holdings
    reports: Sequence[FillReport]


@dataclass(frozen=True, slots=True)
class OwnView:
    """What our books say: shares by symbol, cash, and the newest fill they are read with.

    `shares` has what brokers told finer than it is booked, so that it can be compared.
    """

    shares: dict[str, Decimal]
    cash: Decimal
    last_fill_id: int


def broker_view(broker: Broker, cursor: str) -> BrokerView:
    """Ask a broker for its view. Raises BrokerUnreachableError; call it outside a transaction."""
    # Orders first: one that ends meanwhile is then looked up singly, never taken for lost.
    open_orders = broker.open_orders()
    holdings = broker.holdings()
    # What cannot be read is kept by those who collect fills; what it changed shows in shares and cash.
    reports = [report for report in broker.fills_since(cursor) if isinstance(report, FillReport)]
    return BrokerView(open_orders, holdings, reports)


def own_view(account: BrokerAccount, *, is_total: bool) -> OwnView:
    """Return our side: all that the account holds, or with `is_total` False only what its orders changed."""
    last = Fill.objects.filter(account=account).order_by("-id").values_list("id", flat=True).first()
    shares, cash = _held(account) if is_total else _changed_by_orders(account)
    for symbol, finer in _finer_than_booked(account):
        shares[symbol] = shares.get(symbol, ZERO) + finer
    return OwnView({symbol: held for symbol, held in shares.items() if held}, cash, last or 0)


def _held(account: BrokerAccount) -> tuple[dict[str, Decimal], Decimal]:
    cells = Cell.objects.filter(portfolio__account=account).order_by().values("instrument__symbol")
    rows = cells.annotate(held=Sum("shares"), money=Sum("cash"))
    own = BrokerAccount.objects.values_list("unallocated_cash", flat=True).get(pk=account.pk)
    cash = sum((row["money"] for row in rows), own)
    return {row["instrument__symbol"]: Decimal(row["held"]).quantize(MICRO) for row in rows}, Decimal(cash).quantize(
        CENT
    )


def _finer_than_booked(account: BrokerAccount) -> Iterator[tuple[str, Decimal]]:
    """Yield by how much the fills of orders differ from what is booked of them, which is to 1e-6, by symbol."""
    finer = Order.objects.filter(account=account).exclude(told_quantity=F("filled_quantity")).order_by()
    rows = finer.values_list("cell__instrument__symbol", "side").annotate(Sum("told_quantity"), Sum("filled_quantity"))
    for symbol, side, told, booked in rows:
        difference = numbers.exact_shares(told) - numbers.shares(booked)
        yield symbol, difference if side == Order.Side.BUY else -difference


def _changed_by_orders(account: BrokerAccount) -> tuple[dict[str, Decimal], Decimal]:
    entries = LedgerEntry.objects.filter(account=account, key__startswith=OF_ORDERS).order_by()
    rows = entries.values("cell__instrument__symbol").annotate(held=Sum("shares"), money=Sum("cash"))
    cash = sum((row["money"] for row in rows), ZERO)
    held = {row["cell__instrument__symbol"]: Decimal(row["held"]).quantize(MICRO) for row in rows}
    return held, Decimal(cash).quantize(CENT)
