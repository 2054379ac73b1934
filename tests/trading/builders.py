"""Small markets to trade in: hand-made bars, quotes and replays, made through the services themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from portfolios.models import BrokerAccount, Cell, Instrument, Membership, Portfolio, Tenant
from portfolios.services import (
    Origin,
    account_create,
    cell_open,
    cell_start,
    portfolio_create,
    tenant_create,
    user_create,
)
from tests.portfolios.builders import BY_TEST, make_instrument
from trading.feeds.base import PriceQuote
from trading.marketdata.catalogue import actions_store, series_store
from trading.models import BarSeries, Order, ReplayRun
from trading.services.replays import CellPlan, replay_create
from trading.services.ticks import TickOutcome, tick_run
from volbal.common.tenancy import tenant_scope
from volbal.strategy import Bars, Dividend, Split

# A Thursday in an ordinary week; 10:30 in New York is inside the session.
DAY = dt.date(2024, 3, 7)
OPEN = dt.datetime(2024, 3, 7, 15, 30, tzinfo=dt.UTC)
# Ten sessions in a row without a holiday.
SESSIONS = tuple(
    dt.date(2024, 3, day) for day in (4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 18, 19, 20, 21, 22, 25, 26, 27, 28)
)


@dataclass(frozen=True, slots=True)
class Desk:
    """A tenant with a paper account and a portfolio on prices of the present."""

    tenant: Tenant
    account: BrokerAccount
    portfolio: Portfolio


def make_desk(slug: str = "north", *, broker: str = "paper", mode: str = "paper", **account: Any) -> Desk:
    owner = user_create(email=f"owner@{slug}.example", password="long enough 1", origin=BY_TEST)
    tenant = tenant_create(name=slug.title(), slug=slug, owner=owner, origin=BY_TEST)
    with tenant_scope(tenant.pk):
        held = account_create(tenant=tenant, name="Main", broker=broker, origin=BY_TEST, **account)
        portfolio = portfolio_create(
            account=held, name="Core", mode=mode, feed="synthetic", tick_interval_seconds=60, origin=BY_TEST
        )
    return Desk(tenant, held, portfolio)


def open_cell(portfolio: Portfolio, symbol: str = "IBM", *, started: bool = True, **changes: Any) -> Cell:
    """Open a cell with 5,000.00 and 50 shares at 100, anchored at 100, on the day before `DAY`, and start it."""
    options: dict[str, Any] = {
        "price": Decimal(100),
        "cash": Decimal(5_000),
        "shares": Decimal(50),
        "anchor": Decimal(100),
        "as_of": OPEN - dt.timedelta(days=1),
        "origin": BY_TEST,
    }
    cell = cell_open(portfolio=portfolio, instrument=make_instrument(symbol), **(options | changes))
    return cell_start(cell=cell, origin=BY_TEST) if started else cell


def quote(instrument: Instrument, last: Decimal | int | str, as_of: dt.datetime = OPEN) -> PriceQuote:
    return PriceQuote(
        instrument_id=instrument.pk,
        source="synthetic",
        is_synthetic=True,
        last=Decimal(last),
        as_of=as_of,
        received_at=as_of,
    )


def tick(
    portfolio: Portfolio,
    prices: Mapping[str, Decimal | int | str],
    as_of: dt.datetime = OPEN,
    *,
    quoted_at: dt.datetime | None = None,
) -> TickOutcome | None:
    """Look at a portfolio with these prices, made at `as_of` or, for older ones, at `quoted_at`."""
    quotes = [quote(make_instrument(symbol), last, quoted_at or as_of) for symbol, last in prices.items()]
    return tick_run(portfolio_id=portfolio.pk, as_of=as_of, quotes=quotes)


def daily_bars(closes: Iterable[float], *, symbol: str = "IBM", days: Iterable[dt.date] = SESSIONS) -> Bars:
    """Return daily bars whose open, high, low and close are the close."""
    values = np.array(list(closes), dtype=np.float64)
    epoch = dt.date(1970, 1, 1)
    stamps = np.array([(day - epoch).days for day, _ in zip(days, values, strict=False)], dtype=np.int64)
    return Bars(stamps, values, values, values, values, symbol=symbol)


def make_series(closes: Iterable[float], *, symbol: str = "IBM", days: Iterable[dt.date] = SESSIONS) -> BarSeries:
    bars = daily_bars(closes, symbol=symbol, days=days)
    return series_store(instrument=make_instrument(symbol), bars=bars, source="hand-made")


def make_actions(*actions: Dividend | Split, symbol: str = "IBM") -> None:
    actions_store(
        instrument=make_instrument(symbol),
        dividends=[one for one in actions if isinstance(one, Dividend)],
        splits=[one for one in actions if isinstance(one, Split)],
        source="hand-made",
    )


def plan(symbol: str = "IBM", amount: int = 10_000, *, reinvest: bool = False, **parameters: Any) -> CellPlan:
    return CellPlan(symbol, Decimal(amount), 0.5, parameters, reinvest)


def make_replay(
    account: BrokerAccount, *series: BarSeries, plans: Iterable[CellPlan] | None = None, name: str = "Replay"
) -> ReplayRun:
    """Open a paused replay with half of 10,000.00 in each instrument."""
    cells = [plan(one.instrument.symbol) for one in series] if plans is None else list(plans)
    return replay_create(account=account, name=name, series=list(series), cells=cells, origin=Origin(task="test"))


def by_owner(desk: Desk, reason: str = "looked at, and right again") -> Origin:
    """Return the desk's owner as the person behind a change."""
    return Origin(actor_id=Membership.objects.get(tenant=desk.tenant, role="owner").user_id, reason=reason)


def only_order() -> Order:
    return Order.objects.get()


def fresh(cell: Cell) -> Cell:
    return Cell.objects.select_related("instrument", "portfolio__account").get(pk=cell.pk)
