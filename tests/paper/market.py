"""Short ways to move a market and to ask the paper broker, for its tests."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from portfolios.models import BrokerAccount
from tests.portfolios.builders import make_instrument
from tests.trading.builders import OPEN, Desk
from trading.brokers.base import OrderRequest
from trading.brokers.paper import PaperBroker
from trading.models import Quote

Number = Decimal | int | str


def market(
    last: Number | None = None,
    *,
    bid: Number | None = None,
    ask: Number | None = None,
    symbol: str = "IBM",
    source: str = "synthetic",
    as_of: dt.datetime = OPEN,
) -> None:
    """Let the newest quote be this, past all checks that would refuse it on its way in."""
    prices = {
        name: None if value is None else Decimal(value) for name, value in (("last", last), ("bid", bid), ("ask", ask))
    }
    Quote.objects.update_or_create(
        source=source,
        instrument=make_instrument(symbol),
        defaults={**prices, "is_synthetic": True, "as_of": as_of, "received_at": as_of},
    )


def paper(desk: Desk, **settings: Any) -> PaperBroker:
    """Return the broker of the desk's account with these settings."""
    BrokerAccount.objects.filter(pk=desk.account.pk).update(settings={"paper": settings})
    return PaperBroker(BrokerAccount.objects.get(pk=desk.account.pk))


def order(name: str = "vb-1", side: str = "BUY", quantity: Number = 10, **terms: Any) -> OrderRequest:
    """Return an order for IBM at market unless told otherwise."""
    return OrderRequest(name, "IBM", side, Decimal(quantity), quote_source="synthetic", **terms)


def fills(broker: PaperBroker) -> list[tuple[str, Decimal, Decimal]]:
    """Return what the broker tells from the beginning: id, quantity and price."""
    return [(one.client_order_id, one.quantity, one.price) for one in broker.fills_since("")]
