"""Reads: by what a cell, or anything above it, is kept from trading freely. The strictest in force wins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from django.db.models import Q

from portfolios.models import BrokerAccount, Cell, Portfolio, Tenant, TradingRestriction
from volbal.common.errors import Refused

EVERYWHERE = "everywhere"


class TradingState(StrEnum):
    """How freely something trades, the freest first."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


STRICTNESS = {state: number for number, state in enumerate(TradingState)}
# The highest level first.
HEIGHT = {level: number for number, level in enumerate(TradingRestriction.Level.values)}


@dataclass(frozen=True, slots=True)
class Place:
    """What a restriction applies to: everything, a broker by name, a tenant, an account, a portfolio or a cell."""

    level: str
    key: str
    label: str
    tenant_id: int | None = None
    broker: str = ""
    account_id: int | None = None
    portfolio_id: int | None = None
    cell_id: int | None = None

    @property
    def owner_id(self) -> int:
        """Return the tenant it belongs to. Raises Refused for a broker and for everything, which belong to none."""
        if self.tenant_id is None:
            raise Refused(f"{self.label} belongs to no firm.", code="no_place")
        return self.tenant_id


def everywhere() -> Place:
    """Return the whole installation."""
    return Place(TradingRestriction.Level.EVERYWHERE, EVERYWHERE, "Everything")


def broker_place(name: str) -> Place:
    """Return a broker by its name in the registry, with the accounts of all tenants there."""
    return Place(TradingRestriction.Level.BROKER, f"broker:{name}", f"Broker {name}", broker=name)


def account_place(account_id: int, name: str, tenant_id: int) -> Place:
    """Return a broker account by its name."""
    label = f"Account {name}"
    return Place(TradingRestriction.Level.ACCOUNT, f"account:{account_id}", label, tenant_id, account_id=account_id)


def portfolio_place(portfolio_id: int, name: str, account_id: int, tenant_id: int) -> Place:
    """Return a portfolio by its name, with what stands above it."""
    return Place(
        TradingRestriction.Level.PORTFOLIO,
        f"portfolio:{portfolio_id}",
        f"Portfolio {name}",
        tenant_id=tenant_id,
        account_id=account_id,
        portfolio_id=portfolio_id,
    )


def cell_place(cell_id: int, name: str, portfolio_name: str, above: Place) -> Place:
    """Return a cell by its name, under the place of its portfolio."""
    label = f"Cell {name} of {portfolio_name}"
    return replace(above, level=TradingRestriction.Level.CELL, key=f"cell:{cell_id}", label=label, cell_id=cell_id)


def place_of(row: Tenant | BrokerAccount | Portfolio | Cell) -> Place:
    """Return the place of something owned; a cell and a portfolio carry what stands above them."""
    if isinstance(row, Tenant):
        return Place(TradingRestriction.Level.TENANT, f"tenant:{row.pk}", f"Firm {row}", row.pk)
    if isinstance(row, BrokerAccount):
        return account_place(row.pk, str(row), row.tenant_id)
    if isinstance(row, Portfolio):
        return portfolio_place(row.pk, str(row), row.account_id, row.tenant_id)
    return cell_place(row.pk, str(row), str(row.portfolio), place_of(row.portfolio))


@dataclass(frozen=True, slots=True)
class Standing:
    """How freely something trades, and the restrictions it stands under, the strictest and highest first."""

    state: TradingState = TradingState.ACTIVE
    held_by: tuple[TradingRestriction, ...] = ()

    @property
    def is_halted(self) -> bool:
        """Whether nothing may trade."""
        return self.state is TradingState.HALTED

    @property
    def is_reducing(self) -> bool:
        """Whether it may only sell."""
        return self.state is TradingState.REDUCING

    @property
    def reason(self) -> str:
        """Return why, in the words of the first that holds it; nothing where it trades freely."""
        return self.held_by[0].reason if self.held_by else ""


FREE = Standing()


def standing_under(held_by: Iterable[TradingRestriction]) -> Standing:
    """Return how freely something trades under restrictions: as the strictest says."""
    ranked = sorted(held_by, key=lambda one: (-STRICTNESS[TradingState(one.state)], HEIGHT[one.level], one.pk))
    return Standing(TradingState(ranked[0].state), tuple(ranked)) if ranked else FREE


@dataclass(slots=True)
class InForce:
    """Restrictions in force, ready to be asked about many things without a query."""

    by_scope: dict[str, list[TradingRestriction]]
    _above: dict[int, list[TradingRestriction]] = field(default_factory=dict)

    def of_tenant(self, tenant_id: int) -> Standing:
        """Return how freely a tenant trades as a whole."""
        return standing_under(self._of(EVERYWHERE, f"tenant:{tenant_id}"))

    def of_account(self, account: BrokerAccount) -> Standing:
        """Return how freely an account trades as a whole."""
        return standing_under(self._account(account))

    def of_portfolio(self, portfolio: Portfolio) -> Standing:
        """Return how freely a portfolio, which carries its account, trades as a whole."""
        return standing_under(self._portfolio(portfolio))

    def of_cell(self, cell: Cell) -> Standing:
        """Return how freely a cell, which carries its portfolio and account, trades."""
        above, own = self._portfolio(cell.portfolio), self.by_scope.get(f"cell:{cell.id}", [])
        return standing_under([*above, *own]) if above or own else FREE

    def _portfolio(self, portfolio: Portfolio) -> list[TradingRestriction]:
        if portfolio.pk not in self._above:
            self._above[portfolio.pk] = self._account(portfolio.account) + self._of(f"portfolio:{portfolio.pk}")
        return self._above[portfolio.pk]

    def _account(self, account: BrokerAccount) -> list[TradingRestriction]:
        return self._of(EVERYWHERE, f"broker:{account.broker}", f"tenant:{account.tenant_id}", f"account:{account.pk}")

    def _of(self, *scopes: str) -> list[TradingRestriction]:
        return [one for scope in scopes for one in self.by_scope.get(scope, ())]


def restrictions_in_force(*, portfolio_ids: Collection[int] | None = None) -> InForce:
    """Return what is in force in the tenants in scope, and everywhere, in one query.

    `portfolio_ids` leaves out other portfolios and their cells.
    """
    rows = TradingRestriction.objects.filter(lifted_at__isnull=True).select_related("by")
    if portfolio_ids is not None:
        rows = rows.filter(Q(portfolio__isnull=True) | Q(portfolio__in=portfolio_ids))
    by_scope: dict[str, list[TradingRestriction]] = defaultdict(list)
    for row in rows.order_by("id"):
        by_scope[row.scope].append(row)
    return InForce(dict(by_scope))


def restriction_ids() -> frozenset[int]:
    """Return which restrictions are in force in the tenants in scope, and everywhere, in one light query."""
    return frozenset(TradingRestriction.objects.filter(lifted_at__isnull=True).order_by().values_list("pk", flat=True))


def trading_states(cells: Collection[Cell]) -> dict[int, Standing]:
    """Return how freely each cell trades, by its id, in one query. Cells carry their portfolio and its account."""
    if not cells:
        return {}
    in_force = restrictions_in_force(portfolio_ids={cell.portfolio_id for cell in cells})
    if not in_force.by_scope:
        return dict.fromkeys([cell.id for cell in cells], FREE)
    return {cell.id: in_force.of_cell(cell) for cell in cells}
