"""Portfolios as the dashboard and their own page show them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import OuterRef, Subquery

from portfolios.models import BrokerAccount, Cell, Portfolio, TradingRestriction
from portfolios.standings import Standing, restrictions_in_force
from trading.models import AccountReconciliation, Fill, ReplayRun, Tick
from trading.selectors.attention import Attention, order_attention, report_attention
from trading.selectors.cells import CellView, cell_rows, cell_views
from trading.selectors.performance import Returns, together
from trading.selectors.price_attention import price_attention
from trading.selectors.tick_states import tick_lateness

NEWEST_FILLS = 8
# As many late portfolios as a note names.
MOST_LATE = 3


@dataclass(frozen=True, slots=True)
class ReplayView:
    """How far a replay is. `progress` is a fraction of its steps."""

    id: int
    status: str
    position: int
    step_count: int
    steps_per_second: Decimal
    as_of: dt.datetime | None
    first_as_of: dt.datetime
    last_as_of: dt.datetime

    @property
    def progress(self) -> float:
        """Return the fraction of steps that are done."""
        return self.position / self.step_count if self.step_count else 0.0


@dataclass(frozen=True, slots=True)
class PortfolioView:
    """A portfolio with its cells at their newest prices; money in `currency`, changes as fractions."""

    id: int
    name: str
    mode: str
    currency: str
    held: Standing
    broker_differs: str
    late: str
    is_archived: bool
    is_synthetic: bool
    as_of: dt.datetime | None
    exchange_zone: str
    unallocated_cash: Decimal
    replay: ReplayView | None
    cells: tuple[CellView, ...]

    @property
    def value(self) -> Decimal:
        """Return what its cells are worth together."""
        return sum((cell.value for cell in self.cells), Decimal(0))

    @property
    def day_change(self) -> Decimal | None:
        """Return the change since the day before, over the cells that have one."""
        known = [cell.value - cell.previous_value for cell in self.cells if cell.previous_value is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def day_change_ratio(self) -> float | None:
        """Return the change since the day before, as a fraction of what there was."""
        before = sum((cell.previous_value for cell in self.cells if cell.previous_value is not None), Decimal(0))
        return float(self.day_change / before) if self.day_change is not None and before else None

    @property
    def returns(self) -> Returns:
        """Return what it made since its cells opened, beside stock and mix."""
        return together((float(cell.opening_value), cell.returns) for cell in self.cells)

    @property
    def active_count(self) -> int:
        """Return how many of its cells are active, and so could be paused."""
        return sum(cell.status == Cell.Status.ACTIVE for cell in self.cells)

    @property
    def trading_count(self) -> int:
        """Return how many of its cells trade; none do while broker and books differ."""
        return 0 if self.broker_differs else sum(cell.acts for cell in self.cells)

    @property
    def startable_count(self) -> int:
        """Return how many of its cells could be started."""
        return sum(cell.status in (Cell.Status.STOPPED, Cell.Status.PAUSED) for cell in self.cells)


@dataclass(frozen=True, slots=True)
class FillView:
    """A fill as a list of what traded shows it."""

    cell_id: int
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    notional: Decimal
    as_of: dt.datetime
    exchange_zone: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All of a tenant's open portfolios, what traded last, and what needs attention."""

    portfolios: tuple[PortfolioView, ...]
    cells: tuple[CellView, ...]
    fills: tuple[FillView, ...]
    attention: tuple[Attention, ...]
    earlier: tuple[Portfolio, ...]


def dashboard() -> Dashboard:
    """Return the dashboard of the tenant in scope, in a fixed number of queries."""
    rows = list(Portfolio.objects.select_related("account__reconciliation", "replay", "tick_state").order_by("id"))
    views = portfolio_views([row for row in rows if not row.is_archived])
    cells = sorted((cell for view in views for cell in view.cells), key=_nearest)
    return Dashboard(
        portfolios=tuple(views),
        cells=tuple(cells),
        fills=newest_fills([view.id for view in views], {cell.id: cell.exchange_zone for cell in cells}),
        attention=_attention(views),
        earlier=tuple(row for row in reversed(rows) if row.is_archived),
    )


def portfolio_view(portfolio: Portfolio) -> PortfolioView:
    """Return one portfolio with its cells; an archived one with its archived cells."""
    cells = cell_views(cell_rows([portfolio], archived=portfolio.is_archived))
    held = restrictions_in_force(portfolio_ids=[portfolio.pk]).of_portfolio(portfolio)
    return _view(portfolio, cells, _last_ticks([portfolio]).get(portfolio.pk), held)


def portfolio_views(portfolios: Sequence[Portfolio]) -> list[PortfolioView]:
    """Return portfolios with their cells, in a fixed number of queries. They carry their account and replay."""
    cells: dict[int, list[CellView]] = defaultdict(list)
    for view in cell_views(cell_rows(portfolios)):
        cells[view.portfolio_id].append(view)
    ticks, in_force = _last_ticks(portfolios), restrictions_in_force()
    return [
        _view(portfolio, cells[portfolio.pk], ticks.get(portfolio.pk), in_force.of_portfolio(portfolio))
        for portfolio in portfolios
    ]


def newest_fills(
    portfolio_ids: Iterable[int], zones: dict[int, str], count: int = NEWEST_FILLS
) -> tuple[FillView, ...]:
    """Return the last fills in some portfolios, newest first, in one query."""
    rows = (
        Fill.objects.filter(order__cell__portfolio__in=portfolio_ids)
        .order_by("-id")
        .values_list(
            "order__cell_id", "order__cell__instrument__symbol", "order__side", "quantity", "price", "notional", "as_of"
        )[:count]
    )
    return tuple(FillView(*row, zones.get(row[0], "UTC")) for row in rows)


def _nearest(cell: CellView) -> tuple[bool, bool, float, str]:
    return (not cell.acts, cell.nearness is None, cell.nearness or 0.0, cell.symbol)


def _last_ticks(portfolios: Sequence[Portfolio]) -> dict[int, dt.datetime]:
    newest = Tick.objects.filter(portfolio=OuterRef("pk")).order_by("-as_of").values("as_of")[:1]
    rows = Portfolio.objects.filter(pk__in=[one.pk for one in portfolios]).annotate(last_tick=Subquery(newest))
    return {pk: as_of for pk, as_of in rows.values_list("pk", "last_tick") if as_of is not None}


def _view(portfolio: Portfolio, cells: list[CellView], last_tick: dt.datetime | None, held: Standing) -> PortfolioView:
    replay = getattr(portfolio, "replay", None)
    return PortfolioView(
        id=portfolio.pk,
        name=portfolio.name,
        mode=portfolio.mode,
        currency=portfolio.account.currency,
        held=held,
        broker_differs=broker_differs(portfolio.account),
        late=tick_lateness(portfolio).text,
        is_archived=portfolio.is_archived,
        is_synthetic=any(cell.is_synthetic for cell in cells),
        as_of=last_tick,
        exchange_zone=cells[0].exchange_zone if cells else "UTC",
        unallocated_cash=portfolio.account.unallocated_cash,
        replay=None if replay is None else replay_view(replay),
        cells=tuple(cells),
    )


def broker_differs(account: BrokerAccount) -> str:
    """Return in words what keeps an account from trading, empty where it agrees with its broker or was never asked."""
    state = getattr(account, "reconciliation", None)
    if state is None or not state.blocks:
        return ""
    if state.status == AccountReconciliation.Status.WAITING:
        return f"{account.name} waits until its books are compared with the broker's. {state.detail}".strip()
    return f"{account.name} and its broker differ. {state.detail}"


def replay_view(run: ReplayRun) -> ReplayView:
    """Return how far a replay is."""
    return ReplayView(
        id=run.pk,
        status=run.status,
        position=run.position,
        step_count=run.step_count,
        steps_per_second=run.steps_per_second,
        as_of=run.as_of,
        first_as_of=run.first_as_of,
        last_as_of=run.last_as_of,
    )


def _attention(views: Sequence[PortfolioView]) -> tuple[Attention, ...]:
    found = [
        Attention(one.state, f"{one.label} is {one.state}: {one.reason}", one.cell_id, one.portfolio_id)
        for one in restrictions_on(views)
    ]
    found += _late_attention([view for view in views if view.late])
    found += [Attention("differs", view.broker_differs, None, view.id) for view in views if view.broker_differs]
    found += price_attention([cell for view in views for cell in view.cells])
    for view in views:
        found += [note for cell in view.cells if (note := _cell_attention(cell)) is not None]
    return (*found, *order_attention([view.id for view in views]), *report_attention())


def _late_attention(late: Sequence[PortfolioView]) -> list[Attention]:
    """Return one note however many portfolios are late: where several are, one cause is behind it."""
    if not late:
        return []
    first, names = late[0], [view.name for view in late[:MOST_LATE]]
    more = f" and {len(late) - MOST_LATE} more" if len(late) > MOST_LATE else ""
    several = f"{len(late)} portfolios are late: {', '.join(names)}{more}. " if len(late) > 1 else ""
    return [Attention("late", f"{several}{first.name}: {first.late}.", None, first.id)]


def restrictions_on(views: Sequence[PortfolioView]) -> list[TradingRestriction]:
    """Return what holds portfolios or any of their cells, each once, the highest first."""
    held = [one for view in views for one in (*view.held.held_by, *(r for c in view.cells for r in c.held.held_by))]
    return list({one.pk: one for one in held}.values())


def _cell_attention(cell: CellView) -> Attention | None:
    if cell.anchor is None:
        return Attention("no_anchor", f"{cell.symbol} has no anchor, so it cannot act. Set one.", cell.id, None)
    if cell.acts and cell.buy is None and cell.sell is None:
        return Attention("idle", f"{cell.symbol} would not act at any price it looks at next.", cell.id, None)
    return None
