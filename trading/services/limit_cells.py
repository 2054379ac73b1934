"""Which cells a limit is about, and what they hold."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

from django.db.models import F, OuterRef, Q, Subquery

from portfolios.models import BrokerAccount, Cell, Portfolio, TradingRestriction
from portfolios.standings import Place, account_place, cell_place, portfolio_place
from trading.marketdata.calendars import exchange_calendar
from trading.models import DailyMark, TradingLimit

Level = TradingRestriction.Level
ABOVE_PORTFOLIOS = (Level.EVERYWHERE, Level.BROKER, Level.TENANT, Level.ACCOUNT)
REPLAY, LIVE = Portfolio.Mode.REPLAY, Portfolio.Mode.LIVE


class Member(Protocol):
    """What says where a cell stands."""

    @property
    def cell_id(self) -> int: ...
    @property
    def portfolio_id(self) -> int: ...
    @property
    def account_id(self) -> int: ...
    @property
    def tenant_id(self) -> int: ...
    @property
    def broker(self) -> str: ...
    @property
    def mode(self) -> str: ...


M = TypeVar("M", bound=Member)


class Members(Generic[M]):
    """Cells by where they stand, built once for all limits that are looked at together.

    Above a portfolio no replay counts, and where there is live money only that: neither history nor paper is ever
    added to it.
    """

    def __init__(self, cells: Iterable[M]) -> None:
        self._by_place: dict[tuple[str, int | str], list[M]] = defaultdict(list)
        for one in cells:
            for place in (
                (Level.EVERYWHERE, ""),
                (Level.BROKER, one.broker),
                (Level.TENANT, one.tenant_id),
                (Level.ACCOUNT, one.account_id),
                (Level.PORTFOLIO, one.portfolio_id),
                (Level.CELL, one.cell_id),
            ):
                self._by_place[place].append(one)
        self._counted: dict[tuple[str, int | str], list[M]] = {}

    def of(self, limit: TradingLimit) -> list[M]:
        """Return the cells that a limit is about."""
        place = (limit.level, _key(limit))
        if limit.level not in ABOVE_PORTFOLIOS:
            return self._by_place.get(place, [])
        if place not in self._counted:
            self._counted[place] = _counted(self._by_place.get(place, ()))
        return self._counted[place]


def _key(limit: TradingLimit) -> int | str:
    keys: dict[str, int | str | None] = {
        Level.EVERYWHERE: "",
        Level.BROKER: limit.broker,
        Level.TENANT: limit.tenant_id,
        Level.ACCOUNT: limit.account_id,
        Level.PORTFOLIO: limit.portfolio_id,
        Level.CELL: limit.cell_id,
    }
    key = keys[limit.level]
    return "" if key is None else key


def _counted(cells: Sequence[M]) -> list[M]:
    present = [one for one in cells if one.mode != REPLAY]
    return [one for one in present if one.mode == LIVE] or present


def limits_over(on: Place) -> Q:
    """Return the condition on limits that cover a place: its own, and those of all that is above it."""
    covering = Q(level=Level.EVERYWHERE)
    if on.broker:
        covering |= Q(level=Level.BROKER, broker=on.broker)
    if on.tenant_id is not None:
        covering |= Q(level=Level.TENANT, tenant=on.tenant_id)
    if on.account_id is not None:
        account = BrokerAccount.objects.filter(pk=on.account_id)
        covering |= Q(level=Level.BROKER, broker__in=account.values("broker"))
        covering |= Q(level=Level.ACCOUNT, account=on.account_id)
    if on.portfolio_id is not None:
        covering |= Q(level=Level.PORTFOLIO, portfolio=on.portfolio_id)
    if on.cell_id is not None:
        covering |= Q(level=Level.CELL, cell=on.cell_id)
    return covering


@dataclass(frozen=True, slots=True)
class LimitedCell:
    """A cell as limits see it; `close` is its newest mark's price, None before the first.

    `stock` is what its shares are worth at that price, `value` that with its money and all that came in so far, both
    in currency.
    """

    cell_id: int
    name: str
    symbol: str
    instrument_id: int
    exchange: str
    status: str
    portfolio_id: int
    portfolio_name: str
    mode: str
    account_id: int
    account_name: str
    broker: str
    tenant_id: int
    close: Decimal | None
    stock: float
    value: float

    def __str__(self) -> str:
        """Name it as the cell itself does."""
        return f"{self.symbol} {self.name}".rstrip()

    @property
    def place(self) -> Place:
        """Return the cell as a place."""
        above = portfolio_place(self.portfolio_id, self.portfolio_name, self.account_id, self.tenant_id)
        return cell_place(self.cell_id, str(self), self.portfolio_name, above)

    @property
    def place_of_account(self) -> Place:
        """Return its account as a place."""
        return account_place(self.account_id, self.account_name, self.tenant_id)

    def day_of(self, moment: dt.datetime) -> dt.date:
        """Return the day of its exchange."""
        return exchange_calendar(self.exchange).day_of(moment)


def limited_cells(where: Q) -> list[LimitedCell]:
    """Return the open cells under a condition as limits see them, by rising id, in one query."""
    newest = DailyMark.objects.filter(cell=OuterRef("pk")).order_by("-day")
    rows = Cell.objects.filter(where).exclude(status=Cell.Status.ARCHIVED).annotate(
        close=Subquery(newest.values("close")[:1]),
        broker=F("portfolio__account__broker"),
    )  # fmt: skip
    values = rows.order_by("id").values_list(
        "pk", "name", "instrument__symbol", "instrument_id", "instrument__exchange", "status",
        "portfolio_id", "portfolio__name", "portfolio__mode", "portfolio__account_id", "portfolio__account__name",
        "broker", "tenant_id", "close", "shares", "cash", "receivable",
    )  # fmt: skip
    found = []
    for row in values:
        close, shares, cash, receivable = row[-4:]
        stock = 0.0 if close is None else float(shares) * float(close)
        figures: tuple[Any, ...] = (*row[:-3], stock, stock + float(cash) + float(receivable))
        found.append(LimitedCell(*figures))
    return found
