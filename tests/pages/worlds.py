"""Firms with cells that ticked, made by the same services as everywhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolios import services
from portfolios.models import Cell, Portfolio
from tests.portfolios.builders import BY_TEST, Firm, make_cell, make_firm, make_instrument
from trading.feeds.base import PriceQuote
from trading.services.marks import mark_refresh
from trading.services.orders import orders_send
from trading.services.ticks import tick_run
from volbal.common.tenancy import tenant_scope

FEED = "synthetic"
OPENED = dt.datetime(2024, 2, 29, 20, 59, 59, tzinfo=dt.UTC)
TRADED = dt.datetime(2024, 3, 1, 20, 0, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class World:
    """A firm whose paper portfolio holds active cells, each opened at 100 with 5,000.00 and 50 shares."""

    firm: Firm
    portfolio: Portfolio
    cells: tuple[Cell, ...]

    @property
    def cell(self) -> Cell:
        return self.cells[0]

    def tick(self, as_of: dt.datetime, price: str, previous: str = "100") -> None:
        """Look at every cell at one price, and book what follows."""
        quotes = [quote_of(cell, as_of, price, previous) for cell in self.cells]
        tick_run(portfolio_id=self.portfolio.pk, as_of=as_of, quotes=quotes)
        for fill in orders_send(account_id=self.portfolio.account_id):
            mark_refresh(cell=fill.order.cell)
        for cell in self.cells:
            cell.refresh_from_db()


def quote_of(cell: Cell, as_of: dt.datetime, price: str, previous: str) -> PriceQuote:
    return PriceQuote(
        instrument_id=cell.instrument_id,
        source=FEED,
        is_synthetic=True,
        last=Decimal(price),
        as_of=as_of,
        received_at=as_of,
        previous_close=Decimal(previous),
    )


def make_world(slug: str = "north", symbols: Sequence[str] = ("IBM",)) -> World:
    """Make a firm and its started cells, in the scope of the firm."""
    firm = make_firm(slug)
    with tenant_scope(firm.tenant.pk):
        portfolio = services.portfolio_create(
            account=firm.account, name="Paper", mode="paper", feed=FEED, origin=BY_TEST
        )
        held = Firm(firm.tenant, firm.owner, firm.account, portfolio)
        for symbol in symbols:
            make_instrument(symbol)
        cells = [make_cell(held, symbol, as_of=OPENED) for symbol in symbols]
        for cell in cells:
            services.cell_start(cell=cell, origin=BY_TEST)
        services.portfolio_archive(portfolio=firm.portfolio, origin=BY_TEST)
    return World(held, portfolio, tuple(cells))
